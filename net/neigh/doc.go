// Package neigh keeps kernel neighbours resolved for us and reports their link
// addresses. Entries are managed (NTF_EXT_MANAGED, Linux 5.16): the kernel
// resolves and re-checks them by itself for as long as they exist. Older
// kernels are asked to use the entry (NTF_USE); ask again before it goes stale.
package neigh
