package report

const pageHead = `# Performance

Rendered by ` + "`make bench`" + `; do not edit. A measurement of packets took %[2]v, a TCP transfer %[3]v.

` + machineMark + `%[1]v

## Figures

Every round runs every contestant once, one after another; a figure is the median of the rounds' ratios.

`

const pageMethod = `
## How

- All in network namespaces joined by veth pairs: client, one or two routers, server. MTU 1,500, offloads on. IPv4 unless said.
- **TCP**: one stream of the project's own sender and receiver (blocking writes and reads of 128 KiB; congestion control %[1]s, windows of up to 6 MB as a kernel has by itself, whatever the machine is set to), bytes counted at the receiver after a warm-up. Hosts and contestants use every core, in the real-time class, so that other work of the machine stays out of the figures. Waymark: two router processes as on a box (` + "`-lanes bpf`" + `): the TC lane forwards clear sessions and hands encrypted ones to the service lane. Clear sessions in the service lane: ` + "`-lanes go`" + `.
- **64 bytes**: frames of 60 bytes and their check sequence, UDP, valid checksums, made by XDP live frames on CPU 0; 1,024 flows round robin, more of them in random order; a BPF program at the far end counts and drops them.
- **Kernel, NAT, redirect, drop, XDP lane, TC lane**: pipeline. Generator, routers and sink share CPU 0 in one chain of soft interrupts; frames per second of CPU time, generator and sink included. A run that loses more than 2 %% of its frames fails; kernel forwarding and NAT may lose 5 %% in the kernel's backlog, which count as if they had arrived. The sink is an XDP program behind contestants that hand on XDP frames, a TC program behind those that hand on socket buffers.
- **XDP lane, TC lane at 64 bytes**: the programs and the session table of the in-kernel lane, filled by the bench through the calls that a router makes; both directions of every session, 60 %% of the slots used; two routers exchange wayports and restore the tuple.
- **Random order costs the generator nothing**: ref-6 and ref-8 are drop and redirect with the flow set of 4b.
- **Overloaded**: the generator sends all it can on CPU 0. Waymark: one router process bound to CPU 1, sessions through their handshake with a second router first; frames are counted where they leave the router for its peer. wireguard-go: both its routers, on both CPUs; frames are counted at the server.
- **Goodput at overload**: offered load rises step by step; what arrives at the last step by what arrives at the step that is best in the median of all rounds. Split mode: the generator has CPU 0, the router's frames are received by a kernel thread on CPU 1. TC and XDP: the sink is on CPU 1, too; to all that the generator gives. Service lane: AES-256-GCM, router process and receiving thread share CPU 1 as equals; to 10 times saturation or to all that the generator gives, whichever is less (the rates are below). ref-12 is what the veth pair alone does; in ref-13 the frames are received on CPU 0, which bounds what can be offered.
- **Latency**: each frame carries the kernel's clock; a BPF program behind the socket buffer of the server reads it into a histogram of 8 ns steps. Frames pass one by one, at half of the rate that kernel forwarding takes. The delay without a router is subtracted.
- **New sessions**: two router processes, ` + "`-lanes bpf`" + `, metadata encrypted (AES-256-CBC) and signed (HMAC-SHA256-128); the server echoes one packet per session; completed sessions by the CPU time of both processes together, while their tables are filled to 90 %% (11: profile cpe; ref-11: profile hub).
- **Memory**: as ` + "`show capacity`" + ` tells it then, of the larger of the two routers; 1 MB = 10⁶ bytes.
- **wireguard-go**: its library at the version of ` + "`bench/go.mod`" + `, MTU 1,420, kernel forwarding around it.
`
