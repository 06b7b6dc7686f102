package main

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"

	"github.com/icholy/digest"
)

// TiDB Cloud as its own command line calls it: one http.Client with icholy/digest below it.
func newDigest(config Config) func(Call) Answer {
	client := &http.Client{Transport: &digest.Transport{Username: config.Key, Password: config.Secret}}
	return func(call Call) Answer {
		method, path, _ := strings.Cut(call.Action, " ")
		var body io.Reader
		if len(call.Parameters) > 0 && string(call.Parameters) != "null" {
			body = strings.NewReader(string(call.Parameters))
		}
		request, err := http.NewRequest(method, config.Scheme+"://"+config.Host+path, body)
		require(err)
		request.Header.Set("Content-Type", "application/json")
		response, err := client.Do(request)
		if err != nil {
			return Answer{Message: err.Error()}
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		require(err)
		answer := Answer{Status: response.StatusCode, Headers: map[string]string{}}
		for name := range response.Header {
			answer.Headers[strings.ToLower(name)] = response.Header.Get(name)
		}
		_ = json.Unmarshal(text, &answer.Body)
		return answer
	}
}
