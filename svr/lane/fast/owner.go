package fast

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
)

// The owner word of a table names a process for good: its number and the clock
// tick it started in. A number that was given out again has another start.
const startBits = 42

// OwnerWord returns this process's owner word: what goes into the table by
// pool.Table.SetOwnerWord, and what must still be there before each batch.
func OwnerWord() (uint64, error) {
	pid := os.Getpid()
	start, err := startTime(pid)
	if err != nil {
		return 0, fmt.Errorf("read own start time: %w", err)
	}
	return uint64(pid)<<startBits | start&(1<<startBits-1), nil
}

// alive tells whether the process that a word names still runs.
func alive(word uint64) bool {
	start, err := startTime(int(word >> startBits))
	return err == nil && word != 0 && start&(1<<startBits-1) == word&(1<<startBits-1)
}

// startTime returns field 22 of /proc/PID/stat (proc_pid_stat(5)).
func startTime(pid int) (uint64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The name in parentheses may hold anything; field 3 follows it.
	fields := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
	if len(fields) < 20 {
		return 0, fmt.Errorf("read stat of process %d: %d fields", pid, len(fields))
	}
	return strconv.ParseUint(string(fields[19]), 10, 64)
}
