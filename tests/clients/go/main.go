// Alibaba's Go SDKs, and an HTTP digest client, driven line by line: a JSON call on stdin, a JSON answer on stdout.
// What is called and what must come back stands in the Python tests; here is only what a Go program would write.
//
//	{"sdk": "vpc", "action": "CreateVpc", "parameters": {"CidrBlock": "10.0.0.0/16"}}
//	{"status": 200, "body": {"VpcId": "vpc-..."}}
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
)

// Config is the first line.
type Config struct {
	Host, Scheme, Region, Key, Secret string
}

// Call is every other line; Sdk says which client carries it out.
type Call struct {
	Sdk        string
	Action     string
	Parameters json.RawMessage
}

// Answer has a body, or the refusal as the SDK reads it.
type Answer struct {
	Status  int               `json:"status"`
	Code    string            `json:"code,omitempty"`
	Message string            `json:"message,omitempty"`
	Headers map[string]string `json:"headers,omitempty"`
	Body    any               `json:"body,omitempty"`
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 4<<20)
	if !lines.Scan() {
		return
	}
	var config Config
	require(json.Unmarshal(lines.Bytes(), &config))
	carryOut := chooseClient(os.Args[1], config)
	out := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		var call Call
		require(json.Unmarshal(lines.Bytes(), &call))
		require(out.Encode(carryOut(call)))
	}
}

func chooseClient(name string, config Config) func(Call) Answer {
	switch name {
	case "acs3":
		return newAcs3(config)
	case "v1":
		return newV1(config)
	case "digest":
		return newDigest(config)
	}
	fmt.Fprintln(os.Stderr, "acs3, v1 or digest, not", name)
	os.Exit(2)
	return nil
}

func require(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
