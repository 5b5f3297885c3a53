module tocsin-bench

go 1.19

require github.com/SherClockHolmes/webpush-go v1.4.0
