// Package uki makes unified kernel images: one EFI program that holds kernel,
// initramfs and kernel arguments as sections behind systemd's stub (the UAPI
// group's specification "Unified Kernel Image"). Same input, same bytes.
package uki

import (
	"bytes"
	"debug/pe"
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrStub: the file is not a stub that sections can be added to.
var ErrStub = errors.New("no usable EFI stub")

// Section is one piece of the image. The stub knows them by name: .osrel,
// .cmdline, .uname, .initrd, .linux.
type Section struct {
	Name string // at most 8 bytes
	Data []byte
}

const (
	sectionHeader = 40
	initialized   = 0x40000040 // initialised data, readable
)

// image is the stub while it is taken apart.
type image struct {
	b                 []byte // header and sections, symbols cut off
	pe, optional      int    // where the headers are in b
	sections          int    // where the section table is
	count             int
	fileAlign, align  uint32
	endFile, endImage uint32 // end of the last section, in the file and in memory
}

var le = binary.LittleEndian

// parse reads the headers; debug/pe has checked the form.
func parse(stub []byte) (*image, error) {
	f, err := pe.NewFile(bytes.NewReader(stub))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrStub, err)
	}
	h, ok := f.OptionalHeader.(*pe.OptionalHeader64)
	if !ok || h.FileAlignment < 32 || h.SectionAlignment < h.FileAlignment || h.FileAlignment > 1<<16 || h.SectionAlignment > 1<<16 {
		return nil, fmt.Errorf("%w: not 64 bits, or odd alignment", ErrStub)
	}
	i := &image{pe: int(le.Uint32(stub[0x3c:])), count: len(f.Sections), fileAlign: h.FileAlignment, align: h.SectionAlignment}
	i.optional = i.pe + 24
	i.sections = i.optional + int(f.SizeOfOptionalHeader)
	i.endFile = h.SizeOfHeaders
	for _, s := range f.Sections {
		i.endFile = max(i.endFile, s.Offset+s.Size)
		i.endImage = max(i.endImage, s.VirtualAddress+s.VirtualSize)
	}
	if int(i.endFile) > len(stub) || i.endFile < h.SizeOfHeaders || int(h.SizeOfHeaders) < i.sections+i.count*sectionHeader {
		return nil, fmt.Errorf("%w: headers and file do not agree", ErrStub)
	}
	i.b = append([]byte(nil), stub[:i.endFile]...)
	return i, nil
}

func roundUp(n, align uint32) uint32 { return (n + align - 1) / align * align }

// room is the number of section headers that still fit before the first section.
func (i *image) room() int {
	headers := int(le.Uint32(i.b[i.optional+60:]))
	return (headers-i.sections)/sectionHeader - i.count
}

func (i *image) add(s Section) {
	h := i.b[i.sections+i.count*sectionHeader:][:sectionHeader]
	clear(h)
	copy(h, s.Name)
	at, file := roundUp(i.endImage, i.align), roundUp(uint32(len(i.b)), i.fileAlign)
	size := roundUp(uint32(len(s.Data)), i.fileAlign)
	le.PutUint32(h[8:], uint32(len(s.Data)))
	le.PutUint32(h[12:], at)
	le.PutUint32(h[16:], size)
	le.PutUint32(h[20:], file)
	le.PutUint32(h[36:], initialized)
	i.b = append(i.b, make([]byte, int(file)-len(i.b))...)
	i.b = append(i.b, s.Data...)
	i.b = append(i.b, make([]byte, int(file+size)-len(i.b))...)
	i.count++
	i.endImage = at + uint32(len(s.Data))
}

// finish corrects what the headers say of the whole.
func (i *image) finish() []byte {
	le.PutUint16(i.b[i.pe+6:], uint16(i.count))
	clear(i.b[i.pe+12 : i.pe+20]) // symbols, which were cut off
	sum := uint32(0)
	for k := range i.count {
		h := i.b[i.sections+k*sectionHeader:]
		if le.Uint32(h[36:])&0x40 != 0 {
			sum += le.Uint32(h[16:])
		}
	}
	le.PutUint32(i.b[i.optional+8:], sum)
	le.PutUint32(i.b[i.optional+56:], roundUp(i.endImage, i.align))
	le.PutUint32(i.b[i.optional+64:], 0)
	le.PutUint32(i.b[i.optional+64:], checksum(i.b))
	return i.b
}

// checksum is the sum of 16-bit words with carry, plus the length.
func checksum(b []byte) uint32 {
	sum := uint32(0)
	for k := 0; k < len(b); k += 2 {
		w := uint32(b[k])
		if k+1 < len(b) {
			w |= uint32(b[k+1]) << 8
		}
		sum += w
		sum = sum&0xffff + sum>>16
	}
	return sum + uint32(len(b))
}

// Build adds the sections to the stub, in their order.
func Build(stub []byte, sections ...Section) ([]byte, error) {
	i, err := parse(stub)
	if err != nil {
		return nil, err
	}
	if i.room() < len(sections) {
		return nil, fmt.Errorf("%w: room for %d sections, %d wanted", ErrStub, i.room(), len(sections))
	}
	total := uint64(i.endImage)
	for _, s := range sections {
		if total += uint64(len(s.Data)) + uint64(i.align); len(s.Name) > 8 || len(s.Data) == 0 || total > 1<<31 {
			return nil, fmt.Errorf("add section %s of %d bytes: name or size is out of bounds", s.Name, len(s.Data))
		}
		i.add(s)
	}
	return i.finish(), nil
}

// Read returns the sections of an image by name, each in its exact size.
func Read(b []byte) (map[string][]byte, error) {
	f, err := pe.NewFile(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("read EFI image: %w", err)
	}
	parts := map[string][]byte{}
	for _, s := range f.Sections {
		if n := min(s.Size, s.VirtualSize); uint64(s.Offset)+uint64(n) <= uint64(len(b)) {
			parts[s.Name] = b[s.Offset:][:n]
		}
	}
	return parts, nil
}
