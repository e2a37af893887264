package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What is wrong is said before anything is touched, with the flag, what was given
// and what may be; it is bad usage.
func TestWrongFlags(t *testing.T) {
	for _, row := range []struct{ args, want string }{
		{"-listen :99999", `-listen ":99999": port "99999" is not within 1 and 65535`},
		{"-listen :0", "within 1 and 65535"},
		{"-listen 930", "-listen \"930\": it is not HOST:PORT"},
		{"-listen=", "-listen \"\": it is not HOST:PORT"},
		{"-listen :ssh", `port "ssh" is not within 1 and 65535`},
		{"-salt :1", `-salt ":1": port "1" is not within 2 and 65535`},
		{"-salt :65536", "within 2 and 65535"},
		{"-salt localhost", "-salt \"localhost\": it is not HOST:PORT"},
		{"-http 127.0.0.1:-1", `-http "127.0.0.1:-1": port "-1" is not within 1 and 65535`},
		{"-http [::1:80", "-http \"[::1:80\": it is not HOST:PORT"},
		{"-http user@host:80", "is no host"},
		{"-etcd 127.0.0.1:2379", "-etcd \"127.0.0.1:2379\""},
		{"-etcd http://a:1,ftp://b:2", `-etcd "ftp://b:2": it must begin with http:// or https://`},
		{"-etcd http://a:99999", `port "99999" is not within 1 and 65535`},
		{"-etcd http://a", "it is not HOST:PORT"},
		{"-etcd http://a:1/x", "more than scheme, host and port"},
		{"-etcd http://a:1 -etcd-ca /nowhere", "must begin with https://"},
		{"-etcd-ca /nowhere", "for the cluster that -etcd names"},
		{"-etcd https://a:1 -etcd-ca /nowhere", "/nowhere"},
		{"-etcd https://a:1 -etcd-cert /nowhere", "belong together"},
		{"-events -1", "-events -1 is not within 1 and 1000000"},
		{"-bogus", "bogus"},
		{"asset acept WM-0001", `"asset acept WM-0001" is no command; did you mean "asset accept ID [KEY]"?`},
		{"show asets", `"show asets" is no command; did you mean "show assets [ID]"?`},
		{"show entitlement hisotry WM-0001", `did you mean "show entitlement history ID"?`},
		{"conect WM-0001", `did you mean "connect ID"?`},
		{"show", "there are:\n  show assets [ID]\n"},
		{"asset accept", "wrong usage: it is asset accept ID [KEY]"},
	} {
		dir := filepath.Join(t.TempDir(), "data")
		var out, err bytes.Buffer
		code := run(t.Context(), append([]string{"-data", dir}, strings.Fields(row.args)...), os.Stdin, &out, &err)
		if code != 2 || !strings.Contains(err.String(), row.want) {
			t.Errorf("%s: code %d, want 2 and %q\n%s", row.args, code, row.want, err.String())
		}
		if _, statErr := os.Stat(dir); statErr == nil {
			t.Errorf("%s: something was touched", row.args)
		}
	}
	var out, err bytes.Buffer
	if code := run(t.Context(), nil, os.Stdin, &out, &err); code != 2 || !strings.Contains(err.String(), "-data DIR is needed") {
		t.Errorf("no -data: %d, %s", code, err.String())
	}
	err.Reset()
	if code := run(t.Context(), []string{"-data", t.TempDir(), "show", "assets"}, os.Stdin, &out, &err); code != 1 {
		t.Errorf("nobody serves: %d, %s", code, err.String())
	}
}
