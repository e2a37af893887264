// Package slot keeps two versions of the software on a box, so that an update
// can fail: the new one is written beside the running one, started on trial, and
// kept only if it proves health in time.
//
// A slot is one file on the EFI system partition. Its name says everything that
// the loader (systemd-boot) needs:
//
//	waymark-000012-b.efi      committed
//	waymark-000012-b+2.efi    on trial, two starts left
//	waymark-000012-b+1-1.efi  one was used: the loader renames before it starts it
//	waymark-000012-b+0-2.efi  failed
//
// The loader starts the highest number that has not failed. Numbers rise with
// every update, letters alternate. So one rename activates a slot, one rename
// commits it, and there is no moment at which the loader finds nothing to start.
//
// What the box remembers besides is a file on the data partition (State). It may
// be lost: names, and what the running image knows of itself, suffice to go on.
//
// Decisions are pure: which entry starts (Next), what a boot means (Settle),
// what a bundle meets (bundle.Box), what health lacks (Wanted.Missing), when the
// trial ends (Trial). The rest carries them out.
package slot
