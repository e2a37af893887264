package pool

import (
	"fmt"
	"reflect"
	"unsafe"
)

// Records returns n values of T that lie in mem, which must be aligned to eight
// bytes and stay mapped; nil lets it allocate. What mem holds stays, so a T
// must be one that another process could write: without pointers, of the same
// layout. It panics when T has pointers or mem is too short.
func Records[T any](mem []byte, n int) []T {
	var zero T
	if !flat(reflect.TypeFor[T]()) {
		panic(fmt.Sprintf("pool: records of %T have pointers", zero))
	}
	if mem == nil {
		return make([]T, n)
	}
	p := unsafe.Pointer(unsafe.SliceData(mem))
	if len(mem) < n*int(unsafe.Sizeof(zero)) || uintptr(p)%unsafe.Alignof(zero) != 0 {
		panic(fmt.Sprintf("pool: %d bytes cannot hold %d records", len(mem), n))
	}
	return unsafe.Slice((*T)(p), n)
}

// RecordSize is the size of one T of Records in bytes.
func RecordSize[T any]() int { var zero T; return int(unsafe.Sizeof(zero)) }

// flat tells whether a type holds nothing but numbers.
func flat(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Array:
		return flat(t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			if !flat(t.Field(i).Type) {
				return false
			}
		}
		return true
	case reflect.Bool, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return true
	}
	return false
}
