// Package policy turns a configuration into decisions: who a packet is from
// (tenant), what it wants (service, by the FIB), and where it goes (path of a
// peer or local next-hop, by the service-policy).
//
// Build compiles one router node's view of the whole authority into Tables.
// Tables never change afterwards, so any number of goroutines may ask them at
// once; a new configuration makes new Tables. Build allocates as it likes, the
// questions asked per packet (TenantByName, ClassifyTenant, Lookup, Choose,
// Timeout) allocate nothing and are bounded by the number of distinct prefix
// lengths, not by the number of services.
package policy
