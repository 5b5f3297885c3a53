// The leg `go-webpush`: `webpush_go JOB`. See client.py for the protocol.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	webpush "github.com/SherClockHolmes/webpush-go"
)

type job struct {
	Messages        int    `json:"messages"`
	WarmUp          int    `json:"warm_up"`
	InFlight        int    `json:"in_flight"`
	Payload         string `json:"payload"`
	Subject         string `json:"subject"`
	RecipientsFile  string `json:"recipients_file"`
	VapidPublicKey  string `json:"vapid_public_key"`
	VapidPrivateKey string `json:"vapid_private_key"`
}

type result struct {
	Messages    int       `json:"messages"`
	Seconds     float64   `json:"seconds"`
	Percentiles []float64 `json:"percentiles"`
}

func read(path string, into any) {
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	if err != nil {
		log.Fatal(err)
	}
}

// When each was accepted, in the order of the answers.
func send(some []webpush.Subscription, j *job, client *http.Client) []time.Time {
	moments := make([]time.Time, len(some))
	options := &webpush.Options{
		HTTPClient:      client,
		Subscriber:      strings.TrimPrefix(j.Subject, "mailto:"),
		VAPIDPublicKey:  j.VapidPublicKey,
		VAPIDPrivateKey: j.VapidPrivateKey,
		TTL:             14400,
		Urgency:         webpush.UrgencyHigh,
	}
	var next, done atomic.Int64
	var callers sync.WaitGroup
	for i := 0; i < j.InFlight; i++ {
		callers.Add(1)
		go func() {
			defer callers.Done()
			for n := next.Add(1) - 1; n < int64(len(some)); n = next.Add(1) - 1 {
				answer, err := webpush.SendNotification([]byte(j.Payload), &some[n], options)
				if err != nil {
					log.Fatal(err)
				}
				io.Copy(io.Discard, answer.Body)
				answer.Body.Close()
				if answer.StatusCode != 201 {
					log.Fatalf("the sink answered %d", answer.StatusCode)
				}
				moments[done.Add(1)-1] = time.Now()
			}
		}()
	}
	callers.Wait()
	return moments
}

func main() {
	log.SetFlags(0)
	var j job
	read(os.Args[1], &j)
	var recipients []webpush.Subscription
	read(j.RecipientsFile, &recipients)
	client := &http.Client{Transport: &http.Transport{ForceAttemptHTTP2: true, MaxIdleConnsPerHost: j.InFlight}}
	send(recipients[:j.WarmUp], &j, client)
	rest := recipients[j.WarmUp : j.WarmUp+j.Messages]
	input := bufio.NewReader(os.Stdin)
	fmt.Println("ready")
	input.ReadString('\n')
	began := time.Now()
	moments := send(rest, &j, client)
	r := result{Messages: len(rest), Seconds: time.Since(began).Seconds()}
	for n := 0; n <= 100; n++ {
		at := (n*len(moments)+99)/100 - 1
		if at < 0 {
			at = 0
		}
		r.Percentiles = append(r.Percentiles, moments[at].Sub(began).Seconds())
	}
	json.NewEncoder(os.Stdout).Encode(r)
	input.ReadString('\n')
}
