// Package boxtest tests whole boxes: images as make builds them, in QEMU, between
// network namespaces with real peers. What a box reached it says itself on its
// report port; silence fails.
package boxtest
