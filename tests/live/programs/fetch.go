// A program in Go for the live tests: knows nothing of MPTCP, and makes its system calls itself.
//
//	fetch get ADDRESS:PORT PATH   HTTP/1.0; the SHA-256 of the body
//	fetch echo ADDRESS:PORT N     sends N octets, shuts down, and reads them back
//	fetch look NAME               its addresses, asked of the resolver
package main

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
)

func fail(err error) {
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(3)
	}
}

func get(address, path string) {
	connection, err := net.Dial("tcp", address)
	fail(err)
	fmt.Fprintf(connection, "GET %s HTTP/1.0\r\nHost: test\r\n\r\n", path)
	reader := bufio.NewReaderSize(connection, 1<<16)
	for {
		line, err := reader.ReadString('\n')
		fail(err)
		if strings.TrimSpace(line) == "" {
			break
		}
	}
	digest := sha256.New()
	_, err = io.Copy(digest, reader)
	fail(err)
	fmt.Printf("%x\n", digest.Sum(nil))
}

func echo(address string, size int) {
	connection, err := net.Dial("tcp", address)
	fail(err)
	sent := make([]byte, size)
	for i := range sent {
		sent[i] = byte(i * 7 >> 3)
	}
	go func() {
		connection.Write(sent)
		connection.(*net.TCPConn).CloseWrite()
	}()
	got, err := io.ReadAll(connection)
	fail(err)
	fmt.Println(string(got) == string(sent), len(got), connection.LocalAddr())
}

func main() {
	switch os.Args[1] {
	case "get":
		get(os.Args[2], os.Args[3])
	case "echo":
		size, err := strconv.Atoi(os.Args[3])
		fail(err)
		echo(os.Args[2], size)
	case "look":
		addresses, err := net.LookupHost(os.Args[2])
		fail(err)
		fmt.Println(strings.Join(addresses, " "))
	}
}
