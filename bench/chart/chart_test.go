package chart_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"waymark/bench/chart"
)

func TestSave(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x.svg")
	err := chart.Save(file, "Title", "the x", "the y", []chart.Series{
		{Name: "rising", Points: [][2]float64{{1, 1}, {10, 2}, {100, 3}}},
		{Name: "flat", Points: [][2]float64{{1, 0.5}}},
		{Name: "absent"},
	})
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"<svg", "Title", "the x", "the y", "rising", "flat"} {
		if !strings.Contains(string(b), want) {
			t.Errorf("the file lacks %q", want)
		}
	}
	if strings.Contains(string(b), "absent") {
		t.Error("the file names a series without points")
	}
	if len(b) > 64<<10 {
		t.Errorf("the file has %d bytes", len(b))
	}
}

func TestNothing(t *testing.T) {
	err := chart.Save(filepath.Join(t.TempDir(), "x.svg"), "Title", "x", "y", []chart.Series{{Name: "a"}})
	if !errors.Is(err, chart.ErrEmpty) {
		t.Errorf("got %v, want ErrEmpty", err)
	}
}
