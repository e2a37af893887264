package report

const pageHead = `# Performance

Rendered by ` + "`make bench`" + `; do not edit. One measurement took %[2]v.

` + machineMark + `%[1]v

## Figures

Every round runs every contestant once, one after another; a figure is the median of the rounds' ratios.

`

const pageMethod = `
## How

- All in network namespaces joined by veth pairs: client, one or two routers, server. MTU 1,500, offloads on.
- **TCP**: one stream of the project's own sender and receiver (blocking writes and reads of 128 KiB), bytes counted at the receiver after a warm-up. Hosts and contestants use every core, in the real-time class, so that other work of the machine stays out of the figures.
- **64 bytes**: frames of 60 bytes and their check sequence, UDP, 1,024 flows round robin, valid checksums, made by XDP live frames on CPU 0; a BPF program at the far end counts and drops them.
- **Kernel, NAT, redirect, drop**: pipeline. Generator, router and sink share CPU 0 in one chain of soft interrupts without loss; frames per second of CPU time, generator and sink included.
- **Overloaded**: the generator sends all it can on CPU 0. Waymark: one router process bound to CPU 1, sessions through their handshake with a second router first; frames are counted where they leave the router for its peer. wireguard-go: both its routers, on both CPUs; frames are counted at the server.
- **wireguard-go**: its library at the version of ` + "`bench/go.mod`" + `, MTU 1,420, kernel forwarding around it.
`
