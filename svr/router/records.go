package router

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"waymark/svr/lane"
	"waymark/svr/policy"
	"waymark/svr/session"
)

// records is RecordsFile, mapped: what this process knows of sessions besides
// the table in the kernel. It is there while the fast lane runs, and outlives
// the process with it: a header page, the next-hops by id, the session records.
type records struct {
	file     string
	mem      []byte
	hops     []byte
	sessions []byte
}

// recordsHeader describes the file; another header is another file.
type recordsHeader struct {
	Magic, Version uint32
	Sessions, Hops uint32
	Size           uint64   // of the file
	Table          [16]byte // seed of the session table they belong to
	Tables         uint64   // fingerprint of the policy that numbers refer to
}

const (
	recordsMagic = 0x574d5243
	recordsPage  = 4096
)

// layout returns the header of a profile's file.
func (p *Profile) recordsHeader(seed [16]byte, t *policy.Tables) recordsHeader {
	hops := (lane.HopMemory(p.Hops) + recordsPage - 1) &^ (recordsPage - 1)
	return recordsHeader{
		Magic: recordsMagic, Version: session.RecordVersion, Sessions: uint32(p.Sessions), Hops: uint32(p.Hops),
		Size: uint64(recordsPage + hops + session.RecordMemory(p.Sessions)), Table: seed, Tables: fingerprint(t),
	}
}

// openRecords maps the file of an earlier process when it has this header;
// ErrNotExist otherwise.
func openRecords(dir string, h recordsHeader) (*records, error) {
	file := filepath.Join(dir, RecordsFile)
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("open records: %w", err)
	}
	defer f.Close()
	var got recordsHeader
	if err := binary.Read(f, binary.NativeEndian, &got); err != nil || got != h {
		return nil, fmt.Errorf("records %s are of another router: %w", file, fs.ErrNotExist)
	}
	if st, err := f.Stat(); err != nil || uint64(st.Size()) != h.Size {
		return nil, fmt.Errorf("records %s have another size: %w", file, fs.ErrNotExist)
	}
	return mapRecords(f, h)
}

// newRecords makes an empty file.
func newRecords(dir string, h recordsHeader) (*records, error) {
	file := filepath.Join(dir, RecordsFile)
	if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("remove old records: %w", err)
	}
	f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("make records: %w", err)
	}
	defer f.Close()
	if err := f.Truncate(int64(h.Size)); err != nil {
		return nil, fmt.Errorf("size records: %w", err)
	}
	if err := binary.Write(f, binary.NativeEndian, &h); err != nil {
		return nil, fmt.Errorf("write records: %w", err)
	}
	return mapRecords(f, h)
}

func mapRecords(f *os.File, h recordsHeader) (*records, error) {
	mem, err := unix.Mmap(int(f.Fd()), 0, int(h.Size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE)
	if err != nil {
		return nil, fmt.Errorf("map records: %w", err)
	}
	at := len(mem) - session.RecordMemory(int(h.Sessions))
	return &records{file: f.Name(), mem: mem, hops: mem[recordsPage:at], sessions: mem[at:]}, nil
}

// close unmaps the file, and removes it unless the lane goes on without us.
// Nobody may use the records any more.
func (r *records) close(keep bool) error {
	if r == nil {
		return nil
	}
	if keep {
		return nil // the process ends; shows may still read
	}
	if err := os.Remove(r.file); err != nil {
		return fmt.Errorf("remove records: %w", err)
	}
	return nil
}

// rename puts another fingerprint into the header: the numbers stand for the
// same things as before, but for addresses that nothing refers to any more.
func (r *records) rename(tables uint64) {
	var h recordsHeader
	if _, err := binary.Decode(r.mem, binary.NativeEndian, &h); err != nil {
		return // the page is longer than any header
	}
	h.Tables = tables
	_, _ = binary.Encode(r.mem, binary.NativeEndian, &h)
}

// fingerprint is a number of what session records refer to by number.
func fingerprint(t *policy.Tables) uint64 {
	h := fnv.New64a()
	say := func(v ...any) { fmt.Fprintln(h, v...) }
	say(t.RouterName, t.NodeName)
	for i := range t.Interfaces {
		f := &t.Interfaces[i]
		say("interface", f.Name, f.Target, f.VLAN, f.SourceNAT, f.DHCP, f.Enabled)
		if !f.DHCP {
			for _, a := range f.Addresses {
				say(a.Prefix, a.Gateway)
			}
		}
	}
	for i := range t.Tenants {
		say("tenant", t.Tenants[i].Name)
	}
	for i := range t.Services {
		say("service", t.Services[i].Name, t.Services[i].Security)
	}
	for i := range t.Peers {
		say("peer", t.Peers[i].Name)
	}
	for i := range t.Paths {
		p := &t.Paths[i]
		say("path", p.Name, p.If, p.Peer, p.Remote, p.AlwaysTransform, p.PeerPorts, p.LocalPorts)
	}
	for i := range t.Security {
		s := &t.Security[i]
		say("security", s.Name, s.Encrypt, s.Cipher, s.HMACMode, s.HMACCipher)
	}
	return h.Sum64()
}
