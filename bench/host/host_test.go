package host

import (
	"strings"
	"testing"
)

// TestCheckCongestion: Reno is in every kernel; what no kernel has is refused by name,
// with what there is.
func TestCheckCongestion(t *testing.T) {
	if err := CheckCongestion("reno"); err != nil {
		t.Error(err)
	}
	err := CheckCongestion("nonsense")
	if err == nil || !strings.Contains(err.Error(), `"nonsense"`) || !strings.Contains(err.Error(), "reno") {
		t.Errorf("error %v", err)
	}
}
