package fat

import (
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf16"
)

// A directory is a list of 32-byte records. A name that is not of the old form
// 8.3 is spread over records before the file's own, last piece first.
const (
	record    = 32
	perSector = sector / record
	perPiece  = 13 // characters of a name in one record

	deleted = 0xe5 // first byte of a record that is free
	unused  = 0x00 // the same, and so are all that follow

	attrReadOnly = 0x01
	attrLabel    = 0x08
	attrDir      = 0x10
	attrArchive  = 0x20
	attrPiece    = 0x0f // read-only, hidden, system, label: a piece of a name
	attrMask     = 0x3f

	lastPiece = 0x40
	date1980  = 0x21 // 1980-01-01: the time of a file says nothing here
)

// pieceAt is where a piece keeps its characters.
var pieceAt = [perPiece]int{1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30}

// isShort tells whether a name needs no pieces: 8.3 in capitals.
func isShort(name string) bool {
	stem, ext, dotted := strings.Cut(name, ".")
	ok := func(s string, n int) bool {
		return s != "" && len(s) <= n && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == ""
	}
	return ok(stem, 8) && (!dotted || ok(ext, 3))
}

// short makes the 11 bytes of an 8.3 name.
func short(name string) [11]byte {
	stem, ext, _ := strings.Cut(name, ".")
	return [11]byte([]byte(fmt.Sprintf("%-8s%-3s", stem, ext)))
}

// alias makes an 8.3 name for a longer one that none of taken has.
func alias(name string, taken map[[11]byte]bool) [11]byte {
	stem, ext := name, ""
	if i := strings.LastIndexByte(name, '.'); i > 0 {
		stem, ext = name[:i], name[i+1:]
	}
	plain := func(s string, n int) string {
		s = strings.Map(func(r rune) rune {
			if r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-' {
				return r
			}
			return -1
		}, strings.ToUpper(s))
		return s[:min(len(s), n)]
	}
	for i := 1; ; i++ {
		tail := fmt.Sprintf("~%d", i)
		b := [11]byte([]byte(fmt.Sprintf("%-8s%-3s", plain(stem, 8-len(tail))+tail, plain(ext, 3))))
		if !taken[b] {
			return b
		}
	}
}

// checksum binds pieces to the record they precede.
func checksum(short []byte) (sum byte) {
	for _, c := range short[:11] {
		sum = sum>>1 + sum<<7 + c
	}
	return sum
}

// records makes all records of a file: the pieces of its name, then its own.
func records(name string, taken map[[11]byte]bool, own [record]byte) []byte {
	if isShort(name) {
		s := short(name)
		copy(own[:], s[:])
		return own[:]
	}
	s := alias(name, taken)
	copy(own[:], s[:])
	text := utf16.Encode([]rune(name))
	n := (len(text) + perPiece - 1) / perPiece
	var b []byte
	for i := n; i >= 1; i-- {
		b = append(b, piece(text, i, i == n, checksum(own[:]))...)
	}
	return append(b, own[:]...)
}

// piece is the i-th piece of a name, counted from 1.
func piece(text []uint16, i int, last bool, sum byte) []byte {
	b := make([]byte, record)
	b[0], b[11], b[13] = byte(i), attrPiece, sum
	if last {
		b[0] |= lastPiece
	}
	for k, at := range pieceAt {
		c := uint16(0xffff)
		switch p := (i-1)*perPiece + k; {
		case p < len(text):
			c = text[p]
		case p == len(text):
			c = 0
		}
		binary.LittleEndian.PutUint16(b[at:], c)
	}
	return b
}

// pieceText reads the characters of a piece.
func pieceText(b []byte) (text []uint16) {
	for _, at := range pieceAt {
		c := binary.LittleEndian.Uint16(b[at:])
		if c == 0 || c == 0xffff {
			break
		}
		text = append(text, c)
	}
	return text
}

// shortText is an 8.3 name as people see it; two bits say what was in small letters.
func shortText(b []byte) string {
	stem, ext := strings.TrimRight(string(b[:8]), " "), strings.TrimRight(string(b[8:11]), " ")
	if b[12]&0x08 != 0 {
		stem = strings.ToLower(stem)
	}
	if b[12]&0x10 != 0 {
		ext = strings.ToLower(ext)
	}
	if ext == "" {
		return stem
	}
	return stem + "." + ext
}
