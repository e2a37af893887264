package path

import "time"

// MOS is the mean opinion score of a G.711 call over a path, 1 to 4.5: the
// E-model of ITU-T G.107 with its defaults, delay as half the round trip, twice
// the jitter and 10 ms. loss is in percent. It falls with every argument and is
// never NaN; what is below 0 or above 100 % counts as that. A path that is down
// has none.
func MOS(rtt, jitter time.Duration, loss float64) float64 { return score(codecG711, rtt, jitter, loss) }

// codec is what G.113 says of one: impairment and robustness to loss.
type codec struct{ ie, bpl float64 }

var codecG711, codecG729A = codec{0, 25.1}, codec{11, 19}

func score(c codec, rtt, jitter time.Duration, loss float64) float64 {
	if !(loss > 0) { // NaN too
		loss = 0
	}
	r := rating(c, delay(rtt, jitter), min(loss, 100))
	return min(max(1+0.035*r+r*(r-60)*(100-r)*7e-6, 1), 4.5)
}

// delay from mouth to ear in ms.
func delay(rtt, jitter time.Duration) float64 {
	ms := func(d time.Duration) float64 { return float64(max(d, 0)) / float64(time.Millisecond) }
	return ms(rtt)/2 + 2*ms(jitter) + 10
}

// rating is R of G.107, 0 to 100 (Cole and Rosenbluth for the delay).
func rating(c codec, d, loss float64) float64 {
	id := 0.024 * d
	if d > 177.3 {
		id += 0.11 * (d - 177.3)
	}
	return min(max(93.2-id-(c.ie+(95-c.ie)*loss/(loss+c.bpl)), 0), 100)
}
