// Package disk is the disk of a box with EFI: a GUID partition table, the EFI
// system partition with loader and slots, and the data partition. It makes new
// ones, for disk.img and for `waymark install`, and finds the one that the running
// system was started from.
//
// Everything is written here, by packages fat, gpt and ext4, and not by a library
// for disk images: the box itself needs the same code in its initramfs, small and
// without root's tools, and only ours promises an order of writes that survives
// power cuts.
package disk
