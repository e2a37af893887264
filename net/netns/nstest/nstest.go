// Package nstest gives tests network namespaces of their own. Without root the
// tests fail: they never skip.
package nstest

import (
	"testing"

	"waymark/net/netns"
)

// New makes a namespace with a random name and removes it when the test ends.
func New(t testing.TB) string {
	t.Helper()
	name := netns.RandomName("wmt-")
	if err := netns.Create(name); err != nil {
		t.Fatalf("create namespace (the test needs root): %v", err)
	}
	t.Cleanup(func() {
		if err := netns.Delete(name); err != nil {
			t.Errorf("delete namespace: %v", err)
		}
	})
	return name
}

// In runs fn inside the namespace and fails the test with its error. fn runs on
// another goroutine: it must not call t.Fatal.
func In(t testing.TB, ns string, fn func() error) {
	t.Helper()
	if err := netns.Do(ns, fn); err != nil {
		t.Fatal(err)
	}
}

// Veth connects two namespaces.
func Veth(t testing.TB, a, b netns.End) {
	t.Helper()
	if err := netns.Veth(a, b); err != nil {
		t.Fatal(err)
	}
}
