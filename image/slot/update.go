package slot

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"waymark/image/build"
	"waymark/image/bundle"
)

// File is the file of a bundle that becomes a slot on boxes with EFI.
const File = "slot.efi"

// Why an update is refused, besides what is wrong with the bundle.
var (
	ErrTrial    = errors.New("the running version is itself on trial")
	ErrNoSlot   = errors.New("it is not known which slot runs: the box was not started by its loader")
	ErrContent  = errors.New("the bundle has no " + File + " or more than that")
	ErrReadBack = errors.New("what was written does not read back")
	ErrOrder    = errors.New("the loader would not start the new slot")
)

// Updater carries updates out.
type Updater struct {
	ESP     *ESP
	Store   Store
	Running Name // without counter
	Info    *build.Info
}

// Update writes the bundle that in holds to the slot that does not run and
// activates it: the next boot is its trial. On an error the next boot is what
// it would have been.
func (u *Updater) Update(in io.Reader, w Wanted) (*bundle.Manifest, error) {
	names, s, err := u.look()
	if err != nil {
		return nil, err
	}
	b, err := bundle.NewReader(in, u.Info.UpdateKeys...)
	if err != nil {
		return nil, err
	}
	if err := u.box(&s).Accept(b.Manifest); err != nil {
		return nil, err
	}
	if err := u.write(b); err != nil {
		return nil, err
	}
	highest := 0
	for _, n := range names {
		highest = max(highest, n.Number)
	}
	next := u.Running.After(highest)
	m := b.Manifest
	s.Pending = &Pending{Slot: next.Committed().String(), Version: m.Version, Counter: m.Counter,
		TrialSeconds: m.TrialSeconds, Wanted: w}
	s.Leaving = "update to " + m.Version
	if err := u.activate(names, next, s); err != nil {
		return nil, err
	}
	return m, nil
}

// look finds out whether an update is possible.
func (u *Updater) look() ([]Name, State, error) {
	if u.Running.Number == 0 {
		return nil, State{}, ErrNoSlot
	}
	names, err := u.ESP.Names()
	if err != nil {
		return nil, State{}, err
	}
	for _, n := range names {
		if n.Committed() == u.Running && n.Trial {
			return nil, State{}, ErrTrial
		}
	}
	// A state that cannot be read counts as none: the counter of the running
	// image is the floor then, and the box can still be mended by an update.
	s, _ := u.Store.Load()
	return names, s, nil
}

func (u *Updater) box(s *State) bundle.Box {
	b := bundle.Box{Board: u.Info.Board, Floor: max(s.Floor, u.Info.Counter)}
	if r := s.Refused; r != nil {
		b.RefusedVersion, b.RefusedCounter, b.RefusedReason = r.Version, r.Counter, r.Reason
	}
	return b
}

// write stores the slot's file and reads the bundle to its end.
func (u *Updater) write(b *bundle.Reader) error {
	if files := b.Manifest.Files; len(files) != 1 || files[0].Name != File {
		return ErrContent
	}
	f, data, err := b.Next()
	if err != nil {
		return err
	}
	if err := u.ESP.write(f.Size, data); err != nil {
		return err
	}
	if _, _, err := b.Next(); !errors.Is(err, io.EOF) {
		return errors.Join(err, u.ESP.discard())
	}
	if err := u.compare(f); err != nil {
		return errors.Join(err, u.ESP.discard())
	}
	return nil
}

func (u *Updater) compare(f bundle.File) error {
	r, err := u.ESP.readBack()
	if err != nil {
		return err
	}
	sum := sha256.New()
	if n, err := io.Copy(sum, r); err != nil {
		return fmt.Errorf("%w: %w", ErrReadBack, err)
	} else if n != f.Size || hex.EncodeToString(sum.Sum(nil)) != f.SHA256 {
		return ErrReadBack
	}
	return nil
}

// activate records the update, gives the file its name, and removes the slots
// that it replaces.
func (u *Updater) activate(names []Name, next Name, s State) error {
	kept := []Name{next}
	var others []Name
	for _, n := range names {
		if n.Committed() == u.Running {
			kept = append(kept, n)
		} else {
			others = append(others, n)
		}
	}
	first, _ := Next(append(kept, others...))
	if parsed, _ := ParseName(next.String()); first != next || parsed != next {
		return errors.Join(fmt.Errorf("%w: %s after %s", ErrOrder, next, first), u.ESP.discard())
	}
	if err := u.Store.Save(s); err != nil {
		return errors.Join(err, u.ESP.discard())
	}
	if err := u.ESP.activate(next); err != nil {
		return err
	}
	// From here on it is done. Slots that cannot be removed come after ours, and
	// the next update tries again.
	_ = u.ESP.remove(others...)
	return nil
}
