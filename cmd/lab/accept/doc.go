// Package accept holds the acceptance tests of the session engine: real routers
// (`waymark router` as plain processes), real kernels as hosts, each test in a
// world of namespaces of its own. They need root and never skip. The sockets of
// the hosts belong to the test itself, so both ends of every conversation are
// seen and their sums compared.
//
// What must hold, and the tests that hold it (names begin with the row):
//
//	row 1   a stop leaves nothing behind         TestRow01…  cleanup_test.go
//	row 2   what a bystander on the ISP sees     TestRow02…  capture_test.go
//	row 3   tshark finds every checksum good     TestRow03…  tshark_test.go
//	row 4   no byte differs, entries come back   TestRow04…  integrity_test.go, crowd_test.go
//	row 5   a cold restart in mid-transfer       TestRow05…  restart_test.go
//	row 8   a flood hurts no live session        TestRow08…  flood_test.go
//	row 12  48 MB all told                       TestRow12…  memory_test.go
//	room    what must fit and arrive             TestRoom…   room_test.go
//	forms   transform, VLAN, transit, families   TestForm…   forms_test.go
//
// The other rows are held in the packages themselves. A test whose name begins
// with TestSoak is the long form: `SOAK=1m make soak` runs it whole, without
// SOAK it is as short as the others.
package accept
