// Package pack makes an image of a board: kernel, initramfs, sizes.
//
// The initramfs is one static program, the modules the board may need, what the
// image knows about itself, and perhaps a configuration. u-root packs it, a tool of
// the host that scripts/tools/uroot pins. Same inputs give the same bytes: no
// time, no path, no order of a folder gets in.
//
// Slots, disks and bundles are made from what Build leaves; they join as Finish
// steps.
package pack
