// Package lte holds what must be seen on real networks of the profile of metered
// links (docs/lte.md): a NAT whose lifetime is learned, one that forgets while
// sessions run, and that an idle path costs what the simulation says.
package lte
