package uplink_test

import (
	"errors"
	"testing"

	"golang.org/x/crypto/ssh"

	"waymark/mgmt/uplink"
)

// forgetful is a connection that forgets the channel it was asked for, and ends.
type forgetful struct {
	ssh.Conn
	asked chan struct{}
}

func (f *forgetful) OpenChannel(string, []byte) (ssh.Channel, <-chan *ssh.Request, error) {
	close(f.asked)
	select {}
}

func (f *forgetful) Wait() error {
	<-f.asked
	return errors.New("ended")
}

// A channel that is asked for while the connection ends is not waited for.
func TestOpenEndsWithTheConnection(t *testing.T) {
	c := &forgetful{asked: make(chan struct{})}
	if _, _, err := uplink.Open(c, uplink.Gone(c), uplink.ChannelReports, nil); !errors.Is(err, uplink.ErrEnded) {
		t.Errorf("error %v, want %v", err, uplink.ErrEnded)
	}
}
