package slot

import (
	"testing"
)

func TestNames(t *testing.T) {
	for _, row := range []struct {
		file string
		want Name
	}{
		{"waymark-000012-b.efi", Name{Number: 12, Letter: 'b'}},
		{"WAYMARK-000012-A.EFI", Name{Number: 12, Letter: 'a'}},
		{"waymark-000012-b+2.efi", Name{12, 'b', true, 2, 0}},
		{"waymark-000012-b+1-1.efi", Name{12, 'b', true, 1, 1}},
		{"waymark-000012-b+0-2.efi", Name{12, 'b', true, 0, 2}},
		{"waymark-000000-a.efi", Name{}},
		{"waymark-12-a.efi", Name{}},
		{"waymark-0000012-a.efi", Name{}},
		{"waymark-000012-c.efi", Name{}},
		{"waymark-000012-b+.efi", Name{}},
		{"waymark-000012-b-1.efi", Name{}},
		{"waymark-000012-b+2.efi.new", Name{}},
		{"waymark.new", Name{}},
		{"debian.efi", Name{}},
		{"", Name{}},
	} {
		n, ok := ParseName(row.file)
		if ok != (row.want != Name{}) || ok && n != row.want {
			t.Errorf("%s: %+v, %v", row.file, n, ok)
		}
		if back, _ := ParseName(n.String()); ok && back != n {
			t.Errorf("%s became %s", row.file, n)
		}
	}
	n := Name{Number: 12, Letter: 'b'}
	if got := n.After(12).String(); got != "waymark-000013-a+2.efi" {
		t.Errorf("after %s comes %s", n, got)
	}
	if got := n.After(20).GivenUp().String(); got != "waymark-000021-a+0-2.efi" {
		t.Errorf("given up: %s", got)
	}
}

// parse makes names of files.
func parse(t testing.TB, files ...string) (list []Name) {
	t.Helper()
	for _, f := range files {
		n, ok := ParseName(f)
		if !ok {
			t.Fatalf("%s is no slot", f)
		}
		list = append(list, n)
	}
	return list
}

// The order is what systemd-boot does; image/vm's tests compare it with the real one.
func TestNext(t *testing.T) {
	for _, row := range []struct {
		files []string
		want  string
	}{
		{nil, ""},
		{[]string{"waymark-000001-a.efi"}, "waymark-000001-a.efi"},
		{[]string{"waymark-000001-a.efi", "waymark-000002-b.efi"}, "waymark-000002-b.efi"},
		{[]string{"waymark-000009-a.efi", "waymark-000010-b+2.efi"}, "waymark-000010-b+2.efi"},
		{[]string{"waymark-000010-b+1-1.efi", "waymark-000009-a.efi"}, "waymark-000010-b+1-1.efi"},
		{[]string{"waymark-000010-b+0-2.efi", "waymark-000009-a.efi"}, "waymark-000009-a.efi"},
		{[]string{"waymark-000010-b+0-2.efi"}, "waymark-000010-b+0-2.efi"},
		{[]string{"waymark-000010-b+1-1.efi", "waymark-000010-b+2.efi"}, "waymark-000010-b+2.efi"},
		{[]string{"waymark-000010-a+2.efi", "waymark-000010-b+2.efi"}, "waymark-000010-b+2.efi"},
	} {
		n, ok := Next(parse(t, row.files...))
		if ok != (row.want != "") || ok && n.String() != row.want {
			t.Errorf("%v: %s, want %s", row.files, n, row.want)
		}
	}
}
