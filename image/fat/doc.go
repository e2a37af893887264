// Package fat reads and writes FAT32 as a box needs it for its EFI system
// partition: whole files are added, renamed and removed.
//
// It exists because losing power must not cost a box its boot. The kernel's
// driver changes a name in several writes whose order it does not promise. Here
// every change ends in one sector that is written when all it stands on is on
// the disk: until then the old state holds, from then on the new one. A cut in
// between leaves clusters that nothing refers to, which Reclaim takes back.
//
// A Volume has one user at a time, and nobody else may have the partition
// mounted. Between two Opens the firmware and its loader may change it.
package fat
