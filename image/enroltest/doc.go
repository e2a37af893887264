// Package enroltest boots the factory's image between namespaces and takes it
// through enrolment at a real conductor. It has tests only.
package enroltest
