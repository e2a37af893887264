package boot

import "waymark/board"

// Mount flags of linux/mount.h.
const (
	noSUID = 0x2
	noDev  = 0x4
	noExec = 0x8
	inert  = noSUID | noDev | noExec
)

// Base is the table of every box; the board's modules come behind it.
func Base(b *board.Board) *Table {
	t := &Table{
		Mounts: []Mount{
			{"proc", "/proc", "", inert, Fatal},
			{"sysfs", "/sys", "", inert, Fatal},
			{"devtmpfs", "/dev", "mode=0755", noSUID, Fatal},
			// The router maps its records there: as large as its profile, on any box.
			{"tmpfs", "/run", "mode=0755,size=75%", inert, Fatal},
			{"tmpfs", "/tmp", "mode=1777,size=16m", inert, Optional},
			{"devpts", "/dev/pts", "mode=0600,ptmxmode=0666", noSUID | noExec, Optional},
			{"bpf", "/sys/fs/bpf", "mode=0700", inert, Optional},
			{"pstore", "/sys/fs/pstore", "", inert, Optional},
		},
		// Kernels make them in devtmpfs; one that does not must not be mute.
		Nodes: []Node{
			{"/dev/console", 5, 1, Optional}, {"/dev/null", 1, 3, Fatal}, {"/dev/kmsg", 1, 11, Optional},
			{"/dev/urandom", 1, 9, Optional}, {"/dev/ptmx", 5, 2, Optional},
		},
		Links: []Link{
			{"/dev/fd", "/proc/self/fd"}, {"/dev/stdin", "/proc/self/fd/0"},
			{"/dev/stdout", "/proc/self/fd/1"}, {"/dev/stderr", "/proc/self/fd/2"},
		},
		Settings: []Setting{
			{"kernel/panic", "10", Fatal}, // a dead kernel starts again
			{"kernel/panic_on_oops", "1", Optional},
			{"kernel/printk_devkmsg", "on", Optional},
			{"kernel/kptr_restrict", "2", Optional},
			{"kernel/unprivileged_bpf_disabled", "1", Optional},
			{"kernel/modprobe", "/sbin/modprobe", Optional},
			// After a large allocation that failed it would keep 4 MB free: too much of 64.
			{"vm/watermark_boost_factor", "0", Optional},
			{"net/core/bpf_jit_enable", "1", Optional},
			{"net/ipv4/ip_forward", "0", Fatal},
			{"net/ipv6/conf/all/forwarding", "0", Optional},
			{"net/ipv6/conf/default/accept_ra", "0", Optional},
			{"net/ipv4/conf/default/arp_ignore", "1", Optional}, // an address belongs to its interface
		},
		Modules: []Module{
			{"nf_tables", "", Fatal}, {"nft_ct", "", Fatal}, {"crc32c_generic", "", Optional},
			{"tun", "", Optional}, {"sch_ingress", "", Optional}, {"cls_bpf", "", Optional},
		},
	}
	for _, m := range b.Modules {
		t.Modules = append(t.Modules, Module{m.Name, m.Params, Need(m.Fatal)})
	}
	if w := b.Watchdog.Module; w != "" {
		t.Modules = append(t.Modules, Module{w, "", Optional})
	}
	return t
}

// Packed are the modules that lie in every image besides those of the table and
// the board: they are loaded when the kernel, or a disk, asks for them.
var Packed = []string{
	"softdog", "zram", "ledtrig_timer", "efi_pstore", "ext4", "vfat", "nls_cp437", "nls_ascii", "nls_iso8859_1", "efivarfs",
	"pppoe", "8021q", "dummy", "xt_conntrack", "nft_reject_inet", "inet_diag", "tcp_diag", "udp_diag", "af_packet_diag",
}
