package subject

import (
	"testing"

	"waymark/mgmt/config"
)

// TestConfig: both routers take the authority, with and without transform.
func TestConfig(t *testing.T) {
	for _, transform := range []bool{false, true} {
		c, err := authority("west", "east", transform)
		if err != nil {
			t.Fatal(err)
		}
		auth, findings := config.Parse(c)
		if auth != nil {
			findings = append(findings, auth.Check("west", "")...)
			findings = append(findings, auth.Check("east", "")...)
		}
		if findings.Failed() {
			t.Errorf("transform %t: %v", transform, findings)
		}
	}
}
