// Contract: `files` uses the file system as programs in Go do, and answers 200 "all is well" or what was not.
//
// A reactor by Go's own compiler for wasip1: `_initialize` starts its runtime, which reads arguments, variables and
// descriptors before anything is called.
package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"unsafe"
)

//go:wasmimport taubyte/sdk eventHttpWrite
func eventHttpWrite(event uint32, bytes unsafe.Pointer, size uint32, count unsafe.Pointer) uint32

//go:wasmexport files
func files(event uint32) uint32 {
	text := []byte("all is well")
	if err := try(); err != nil {
		text = []byte(err.Error())
	}
	var count uint32
	return eventHttpWrite(event, unsafe.Pointer(&text[0]), uint32(len(text)), unsafe.Pointer(&count))
}

func try() error {
	if len(os.Args) != 1 || os.Args[0] == "" {
		return fmt.Errorf("arguments: %q", os.Args)
	}
	if _, err := os.ReadFile("config.json"); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("reading what is not there: %v", err)
	}
	if _, err := os.Open("/etc/passwd"); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("opening a file of the host: %v", err)
	}
	folder, err := os.MkdirTemp("/", "work")
	if err != nil {
		return fmt.Errorf("making a folder: %v", err)
	}
	if err := os.WriteFile(folder+"/a.txt", []byte("hello"), 0o600); err != nil {
		return fmt.Errorf("writing: %v", err)
	}
	if text, err := os.ReadFile(folder + "/a.txt"); err != nil || string(text) != "hello" {
		return fmt.Errorf("reading: %v, %q", err, text)
	}
	if err := os.Rename(folder+"/a.txt", folder+"/b.txt"); err != nil {
		return fmt.Errorf("renaming: %v", err)
	}
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) != 1 || entries[0].Name() != "b.txt" {
		return fmt.Errorf("listing: %v, %v", err, entries)
	}
	if err := os.RemoveAll(folder); err != nil {
		return fmt.Errorf("removing: %v", err)
	}
	if _, err := os.Stat(folder); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("asking for what was removed: %v", err)
	}
	return nil
}

func main() {}
