package router

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"waymark/svr/lane"
	"waymark/svr/policy"
	"waymark/svr/pool"
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

// recordsHeader describes the file; another header is another file, but for the
// layout of a session record, which is brought up to date. Magic and Tables stay
// where they are in every version: sameTables.
type recordsHeader struct {
	Magic, Version uint32
	Sessions, Hops uint32
	Size           uint64   // of the file
	Table          [16]byte // seed of the session table they belong to
	Tables         uint64   // fingerprint of the policy that numbers refer to
	Record         uint32   // bytes of a session record
}

const (
	recordsMagic = 0x574d5243
	recordsPage  = 4096
	// recordsFields is where the header page names the fields of a session record
	// (pool.FormatFields), zeros behind them.
	recordsFields = 256
)

// recordsHeader returns the header of a profile's file.
func (p *Profile) recordsHeader(seed [16]byte, t *policy.Tables) recordsHeader {
	return recordsHeader{
		Magic: recordsMagic, Version: session.RecordVersion, Sessions: uint32(p.Sessions), Hops: uint32(p.Hops),
		Size: uint64(hopsMemory(p.Hops) + recordsPage + session.RecordMemory(p.Sessions)), Table: seed,
		Tables: fingerprint(t), Record: uint32(session.RecordMemory(1)),
	}
}

// hopsMemory is what n next-hops take in the file: whole pages.
func hopsMemory(n int) int { return (lane.HopMemory(n) + recordsPage - 1) &^ (recordsPage - 1) }

// openRecords maps the file of an earlier process when it has this header;
// ErrNotExist otherwise. Session records of another layout are rewritten in ours
// first: migrated tells so.
func openRecords(dir string, h recordsHeader) (r *records, migrated bool, err error) {
	file := filepath.Join(dir, RecordsFile)
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		return nil, false, fmt.Errorf("open records: %w", err)
	}
	defer f.Close()
	old, fields, err := readRecordsHeader(f)
	if err != nil {
		return nil, false, fmt.Errorf("records %s: %w", file, err)
	}
	if old.Version != h.Version {
		return nil, false, fmt.Errorf("records %s have version %d, want %d: %w", file, old.Version, h.Version, fs.ErrNotExist)
	}
	same := old
	same.Size, same.Record = h.Size, h.Record
	if same != h {
		return nil, false, fmt.Errorf("records %s are of another router: %w", file, fs.ErrNotExist)
	}
	if old == h && slices.Equal(fields, session.RecordFields()) {
		r, err = mapRecords(f, h, unix.MAP_POPULATE)
		return r, false, err
	}
	if r, err = migrateRecords(f, old, fields, h); err != nil {
		return nil, false, fmt.Errorf("records %s have another layout: %w", file, err)
	}
	return r, true, nil
}

// sameTables tells whether the router whose records are in a directory, of whatever
// version, numbered things as these tables do: nil, or why not.
func sameTables(dir string, t *policy.Tables) error {
	b, err := readStart(filepath.Join(dir, RecordsFile), binary.Size(recordsHeader{}))
	if err != nil {
		return fmt.Errorf("read records: %w", err)
	}
	var h recordsHeader
	if _, err := binary.Decode(b, binary.NativeEndian, &h); err != nil || h.Magic != recordsMagic {
		return fmt.Errorf("records of no router: %w", fs.ErrNotExist)
	}
	if h.Tables != fingerprint(t) {
		return errors.New("its configuration numbers things differently")
	}
	return nil
}

// readStart reads the first n bytes of a file.
func readStart(file string, n int) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b := make([]byte, n)
	_, err = io.ReadFull(f, b)
	return b, err
}

// readRecordsHeader reads what a file says of itself and checks that against its
// size.
func readRecordsHeader(f *os.File) (h recordsHeader, fields []pool.Field, err error) {
	page := make([]byte, recordsPage)
	if _, err := io.ReadFull(f, page); err != nil {
		return h, nil, fmt.Errorf("read header: %w", fs.ErrNotExist)
	}
	if _, err := binary.Decode(page, binary.NativeEndian, &h); err != nil || h.Magic != recordsMagic {
		return h, nil, fmt.Errorf("no header: %w", fs.ErrNotExist)
	}
	size := recordsPage + uint64(hopsMemory(int(h.Hops))) + uint64(h.Sessions)*uint64(h.Record)
	if st, err := f.Stat(); err != nil || uint64(st.Size()) != h.Size || h.Size != size {
		return h, nil, fmt.Errorf("another size: %w", fs.ErrNotExist)
	}
	fields, err = pool.ParseFields(page[recordsFields:], int(h.Record))
	return h, fields, err
}

// migrateRecords writes a file with header h beside f, which has header old, and
// puts it in its place.
func migrateRecords(f *os.File, old recordsHeader, fields []pool.Field, h recordsHeader) (*records, error) {
	plan, err := pool.NewMigration(fields, session.RecordFields())
	if err != nil {
		return nil, err
	}
	src, err := unix.Mmap(int(f.Fd()), 0, int(old.Size), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map: %w", err)
	}
	defer unix.Munmap(src)
	r, err := makeRecords(f.Name()+recordsNew, h)
	if err != nil {
		return nil, err
	}
	at := recordsPage + copy(r.hops, src[recordsPage:])
	for i := range int(h.Sessions) {
		plan.Copy(r.sessions[i*int(h.Record):], src[at+i*int(old.Record):])
	}
	if err := os.Rename(r.file, f.Name()); err != nil {
		return nil, errors.Join(fmt.Errorf("put in place: %w", err), unix.Munmap(r.mem))
	}
	r.file = f.Name()
	return r, nil
}

// recordsNew ends the name of a file that is being written.
const recordsNew = ".new"

// newRecords makes an empty file.
func newRecords(dir string, h recordsHeader) (*records, error) {
	return makeRecords(filepath.Join(dir, RecordsFile), h)
}

func makeRecords(file string, h recordsHeader) (*records, error) {
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
	text := pool.FormatFields(session.RecordFields())
	if len(text) > recordsPage-recordsFields {
		return nil, fmt.Errorf("write records: %d bytes of fields, room for %d", len(text), recordsPage-recordsFields)
	}
	if _, err := f.WriteAt(text, recordsFields); err != nil {
		return nil, fmt.Errorf("write records: %w", err)
	}
	return mapRecords(f, h, 0) // its pages are made present later: settle
}

func mapRecords(f *os.File, h recordsHeader, flags int) (*records, error) {
	mem, err := unix.Mmap(int(f.Fd()), 0, int(h.Size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|flags)
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
		say("interface", f.Name, f.Target, f.Tag(), f.SourceNAT, f.DHCP, f.Enabled)
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
