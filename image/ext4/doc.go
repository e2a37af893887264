// Package ext4 makes file systems for the data partition: a box that finds its
// own ruined has no mkfs to call, and an image is built without root. The kernel
// does everything afterwards.
//
// What is made is plain: blocks of 4 KiB, extents, a journal, no checksums, at
// most 16 GiB. Same input, same bytes. (Linux, Documentation/filesystems/ext4.)
package ext4
