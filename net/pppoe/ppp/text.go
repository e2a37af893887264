package ppp

// maxText bounds what we quote of the peer's text, in bytes.
const maxText = 128

// text makes the peer's bytes fit for logs and tables.
func text(b []byte) string {
	s := make([]byte, 0, min(len(b), maxText))
	for _, c := range b[:min(len(b), maxText)] {
		if c < ' ' || c > '~' {
			c = '.'
		}
		s = append(s, c)
	}
	return string(s)
}
