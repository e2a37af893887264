// The in-kernel fast lane: forwards packets of established sessions, punts
// everything else of the transit traffic to a TAP, leaves the host its own.
// Order of steps per packet: parse, look up, rules of refusal, rewrite, account,
// redirect. See docs/table.md for the table.
#include "cut.h"
#include "steer.h"
#include "tc.h"
#include "xdp.h"

char _license[] SEC("license") = "Apache-2.0";
