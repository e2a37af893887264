package vlan

import (
	"cmp"
	"slices"
)

// Device is a VLAN device on an interface of the kernel.
type Device struct {
	Name   string
	Parent int    // index of the interface below
	Tag    uint16 // 1-4094
}

// Plan is what has to change.
type Plan struct {
	Remove []Device
	Add    []Device
}

// Empty tells whether nothing has to change.
func (p Plan) Empty() bool { return len(p.Add) == 0 && len(p.Remove) == 0 }

// MakePlan compares the wanted devices with ours that are there. It is pure.
func MakePlan(ours, want []Device) Plan {
	var p Plan
	for _, d := range ours {
		if !slices.Contains(want, d) {
			p.Remove = append(p.Remove, d)
		}
	}
	for _, d := range want {
		if !slices.Contains(ours, d) {
			p.Add = append(p.Add, d)
		}
	}
	byName := func(a, b Device) int { return cmp.Compare(a.Name, b.Name) }
	slices.SortFunc(p.Add, byName)
	slices.SortFunc(p.Remove, byName)
	return p
}
