package boxtest

import (
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"waymark/image/vm"
	"waymark/image/vm/vmtest"
)

// What the serial port says where a person looks.
const (
	secretIs   = "waymark login secret: "
	secretWhat = "waymark login secret? "
)

// prompts are those of a session: of one that began before the router ran, too.
var prompts = []string{"branch1# ", "waymark# "}

// person is somebody at the serial port of a box, who knows its secret.
type person struct {
	m      *vm.Machine
	secret string
}

// newSecret waits for the secret that a box shows once in its life.
func (s *site) newSecret(t *testing.T) string {
	t.Helper()
	vmtest.Expect(t, s.box.Machine, secretIs)
	secret := strings.TrimSpace(vmtest.Expect(t, s.box.Machine, "\n"))
	vmtest.Expect(t, s.box.Machine, secretWhat)
	if len(secret) != len("ABCD-1234-EFGH-5678") {
		t.Errorf("secret %q", secret)
	}
	return secret
}

// types types a line, and waits for one of the texts.
func (p *person) types(t *testing.T, line string, texts ...string) (before, found string) {
	t.Helper()
	if _, err := io.WriteString(p.m.Console, line+"\r"); err != nil {
		t.Fatal(err)
	}
	before, found, err := p.m.Console.ExpectAny(vmtest.Context(t), texts...)
	if err != nil {
		t.Fatalf("typed %q: %v", line, err)
	}
	return before, found
}

// firstLogin reads the secret and goes in with it, behind others who do not know
// it and are let try less and less often.
func (s *site) firstLogin(t *testing.T) *person {
	t.Helper()
	p := &person{s.box.Machine, s.newSecret(t)}
	const once, twice, wait = "next try in 1 s", "next try in 2 s", "too many wrong secrets: wait"
	p.types(t, "", secretWhat)
	p.types(t, "admin", once)
	for found := ""; found != twice; {
		vmtest.Expect(t, s.box.Machine, secretWhat)
		if _, found = p.types(t, "0000-0000-0000-0000", append(prompts, once, twice, wait)...); found != twice && found != wait {
			t.Fatalf("a second guess: %q", found)
		}
	}
	vmtest.Expect(t, s.box.Machine, secretWhat)
	p.login(t)
	return p
}

// login goes in as soon as it is let.
func (p *person) login(t *testing.T) {
	t.Helper()
	for {
		before, found := p.types(t, p.secret, append(prompts, "too many wrong secrets: wait", "wrong secret;")...)
		switch {
		case found == "wrong secret;":
			t.Fatal("the secret is refused")
		case slices.Contains(prompts, found):
			if strings.Contains(before, p.secret) {
				t.Error("the secret is shown as it is typed")
			}
			p.run(t, "page off", "")
			return
		}
		vmtest.Expect(t, p.m, secretWhat)
	}
}

// again goes in after a boot, which must not have shown the secret another time.
func (p *person) again(t *testing.T) {
	t.Helper()
	if before := vmtest.Expect(t, p.m, secretWhat); strings.Contains(before, secretIs) || strings.Contains(before, p.secret) {
		t.Errorf("the secret is shown again:\n%s", before)
	}
	p.login(t)
}

// run runs a command whose output has the text.
func (p *person) run(t *testing.T, command, text string) {
	t.Helper()
	if out, _ := p.types(t, command, prompts...); !strings.Contains(out, text) {
		t.Errorf("%s: no %q in\n%s", command, text, out)
	}
}

// looksRound uses what a person at a port needs first.
func (p *person) looksRound(t *testing.T) {
	t.Helper()
	p.run(t, "show system", "qemu-arm64")
	p.run(t, "show network-interface", "203.0.113.2")
	p.run(t, "ping 203.0.113.1 count 2", "2 received")
	p.run(t, "log", "System started")
	p.run(t, "log router", "level=INFO")
	p.run(t, "log init lines 100", "service=router")
	p.run(t, "log kernel", "] ")
	p.run(t, "show nothing", "% ")
	p.types(t, "reboo", "[y/N] ")
	p.run(t, "", "nothing was done")
}

// reboot starts the box again.
func (p *person) reboot(t *testing.T) {
	t.Helper()
	p.types(t, "reboot", "[y/N] ")
	p.types(t, "y", "starts again")
}

// reset makes the box forget everything; a wrong name does not.
func (p *person) reset(t *testing.T) {
	t.Helper()
	p.types(t, "factory-reset", "to go on: ")
	p.run(t, "nobody", "nothing was done")
	before, _ := p.types(t, "factory-reset", "to go on: ")
	_, rest, _ := strings.Cut(before, "Type its name (")
	asked, _, _ := strings.Cut(rest, ")")
	if asked == "" {
		t.Fatalf("asks for no name: %q", before)
	}
	p.types(t, asked, "forgets everything")
}

// onDisk lists a folder of a data partition.
func onDisk(t *testing.T, disk, dir string) (names []string) {
	t.Helper()
	out, err := exec.Command("debugfs", "-R", "ls -p "+dir, disk).Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(out), "\n") {
		if f := strings.Split(line, "/"); len(f) > 5 {
			names = append(names, f[5])
		}
	}
	return names
}
