package conductor

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strconv"
	"strings"

	"waymark/mgmt/conductor/store/etcd"
)

// Settings of a conductor.
type Settings struct {
	Dir       string       // data: store, token, host key's public half, recordings
	Config    string       // file of the first configuration; "" none
	Listen    string       // for boxes, HOST:PORT
	Salt      string       // for minions' requests, HOST:PORT; publications are one port below. "" none
	HTTP      string       // HOST:PORT; "" none
	Etcd      []string     // URLs of a cluster; none: a member in this process
	EtcdTLS   etcd.TLS     // how to reach it
	Name      string       // of this conductor; "" is the machine's
	MaxEvents int          // kept of each box, about; 0 is 1,000
	Log       *slog.Logger `json:"-"`
	Ready     func()       `json:"-"` // told when all doors are open; nil for nobody
}

// ErrSettings: the settings cannot be obeyed.
var ErrSettings = errors.New("wrong settings")

// maxEvents bounds what is kept of each box.
const maxEvents = 1_000_000

// Check says what is wrong with settings before anything is touched, by the names
// of the command's flags.
func (s *Settings) Check() error {
	for _, a := range []struct {
		flag, address string
		least         int
		none          bool // "" is right
	}{{"-listen", s.Listen, 1, false}, {"-salt", s.Salt, 2, true}, {"-http", s.HTTP, 1, true}} {
		if a.none && a.address == "" {
			continue
		}
		if err := checkAddress(a.address, a.least); err != nil {
			return fmt.Errorf("%w: %s %q: %w", ErrSettings, a.flag, a.address, err)
		}
	}
	for _, u := range s.Etcd {
		if err := checkURL(u); err != nil {
			return fmt.Errorf("%w: -etcd %q: %w", ErrSettings, u, err)
		}
	}
	switch secure := func(u string) bool { return strings.HasPrefix(u, "https://") }; {
	case s.Dir == "":
		return fmt.Errorf("%w: -data DIR is needed", ErrSettings)
	case s.MaxEvents < 0 || s.MaxEvents > maxEvents:
		return fmt.Errorf("%w: -events %d is not within 1 and %d", ErrSettings, s.MaxEvents, maxEvents)
	case s.EtcdTLS == etcd.TLS{}:
		return nil
	case len(s.Etcd) == 0:
		return fmt.Errorf("%w: -etcd-cert, -etcd-key and -etcd-ca are for the cluster that -etcd names", ErrSettings)
	default:
		for _, u := range s.Etcd {
			if !secure(u) {
				return fmt.Errorf("%w: -etcd %q: with -etcd-cert, -etcd-key or -etcd-ca it must begin with https://", ErrSettings, u)
			}
		}
	}
	if _, err := s.EtcdTLS.Config(); err != nil {
		return fmt.Errorf("%w: %w", ErrSettings, err)
	}
	return nil
}

// checkAddress checks HOST:PORT; an empty host is every address of the machine.
func checkAddress(address string, least int) error {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return errors.New("it is not HOST:PORT")
	}
	if port, err := strconv.Atoi(text); err != nil || port < least || port > 65535 {
		return fmt.Errorf("port %q is not within %d and 65535", text, least)
	}
	if strings.ContainsAny(host, " /@") {
		return fmt.Errorf("%q is no host", host)
	}
	return nil
}

// checkURL checks where a member of a cluster is.
func checkURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return errors.New("it is no URL")
	case u.Scheme != "http" && u.Scheme != "https":
		return errors.New("it must begin with http:// or https://")
	case strings.Trim(u.Path, "/") != "" || u.User != nil || u.RawQuery != "":
		return errors.New("it has more than scheme, host and port")
	}
	return checkAddress(u.Host, 1)
}
