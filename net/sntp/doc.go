// Package sntp tells the box the time: a client of RFC 4330 with the manners of
// RFC 8633.
//
// Machine is pure: which server is asked when, what an answer is worth, which
// servers agree, and whether the clock is to be stepped or slewed. Client is the
// shell: sockets and a Clock, the seam behind which somebody sets the machine's
// clock, or nobody does. Time before a floor, when this program was built, is
// believed of nobody.
//
// A request tells nothing about the box: its transmit timestamp is random, and
// an answer must bring it back (draft-ietf-ntp-data-minimization). A server that
// says DENY or RSTR is not asked again, one that says RATE half as often.
package sntp
