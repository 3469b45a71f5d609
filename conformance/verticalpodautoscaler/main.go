// Command verticalpodautoscaler draws series of samples, lets the recommender of the Vertical Pod
// Autoscaler 1.7.1 take them in, and prints what it recommends:
//
//	go run . 2000 1 | gzip -9n >../../tests/data/verticalpodautoscaler.ndjson.gz
//
// The arguments are the number of cases and the seed of the first. A case is drawn from its seed
// with whole numbers alone, so tests/verticalpodautoscaler_upstream.rs draws it again.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strconv"
	"time"

	"k8s.io/autoscaler/vertical-pod-autoscaler/pkg/recommender/logic"
	"k8s.io/autoscaler/vertical-pod-autoscaler/pkg/recommender/model"
	"k8s.io/autoscaler/vertical-pod-autoscaler/pkg/recommender/util"
)

// Draws is SplitMix64.
type Draws struct{ state uint64 }

func (d *Draws) next() uint64 {
	d.state += 0x9e3779b97f4a7c15
	z := d.state
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb
	return z ^ (z >> 31)
}

func (d *Draws) below(n int64) int64 { return int64(d.next() % uint64(n)) }

// Told is what is known of a container at a look.
type Told struct {
	Container string `json:"container"`
	// Milli-CPU and bytes: target, lower and upper bound.
	CPU    [3]int64 `json:"cpu"`
	Memory [3]int64 `json:"memory"`
	// Sum of the weights of the histograms of CPU and memory, bits of a float64.
	Weights [2]string `json:"weights"`
	// 90th percentiles, likewise.
	Percentiles [2]string `json:"percentiles"`
}

// Case is a line.
type Case struct {
	Seed int64 `json:"seed"`
	// After half of the samples, and after all.
	Looks [2][]Told `json:"looks"`
}

func bits(x float64) string { return strconv.FormatUint(math.Float64bits(x), 16) }

func look(states model.ContainerNameToAggregateStateMap, recommender logic.PodResourceRecommender) []Told {
	found := recommender.GetRecommendedPodResources(states)
	told := []Told{}
	for i := 0; i < len(states); i++ {
		name := fmt.Sprintf("c%d", i)
		state, r := states[name], found[name]
		of := func(name model.ResourceName) [3]int64 {
			return [3]int64{int64(r.Target[name]), int64(r.LowerBound[name]), int64(r.UpperBound[name])}
		}
		weight := func(histogram util.Histogram) string {
			checkpoint, err := histogram.SaveToChekpoint()
			if err != nil {
				panic(err)
			}
			return bits(checkpoint.TotalWeight)
		}
		cpu, memory := state.AggregateCPUUsage, state.AggregateMemoryPeaks
		told = append(told, Told{
			Container:   name,
			CPU:         of(model.ResourceCPU),
			Memory:      of(model.ResourceMemory),
			Weights:     [2]string{weight(cpu), weight(memory)},
			Percentiles: [2]string{bits(cpu.Percentile(0.9)), bits(memory.Percentile(0.9))},
		})
	}
	return told
}

// Container draws, group by group: the pods of a group have the same labels, and share a state.
type group struct {
	state *model.AggregateContainerState
	pods  []*model.ContainerState
}

func draw(seed int64, recommender logic.PodResourceRecommender) Case {
	draws := &Draws{uint64(seed)}
	containers := 1 + draws.below(3)
	groups := 1 + draws.below(2)
	pods := 1 + draws.below(3)
	steps := 2 + draws.below(120)
	step := []int64{15, 60, 300, 3600, 21600}[draws.below(5)]
	now := 1767225600 + draws.below(259200)
	cpu := []int64{5, 50, 400, 3000}[draws.below(4)]
	memory := []int64{3_000_000, 90_000_000, 700_000_000, 9_000_000_000}[draws.below(4)]
	all := [][]group{}
	for c := int64(0); c < containers; c++ {
		of := []group{}
		for g := int64(0); g < groups; g++ {
			state := model.NewAggregateContainerState()
			group := group{state: state}
			for p := int64(0); p < pods; p++ {
				group.pods = append(group.pods, model.NewContainerState(nil, state))
			}
			of = append(of, group)
		}
		all = append(all, of)
	}
	told := Case{Seed: seed}
	for s := int64(0); s < steps; s++ {
		for _, of := range all {
			for _, group := range of {
				for p, pod := range group.pods {
					at := time.Unix(now, 0).UTC()
					usage := cpu * draws.below(200) / 100
					pod.AddSample(&model.ContainerUsageSample{
						MeasureStart: at, Usage: model.ResourceAmount(usage), Resource: model.ResourceCPU})
					usage = memory * (50 + draws.below(100)) / 100
					pod.AddSample(&model.ContainerUsageSample{
						MeasureStart: at, Usage: model.ResourceAmount(usage), Resource: model.ResourceMemory})
					chance := draws.below(100)
					if chance < 2 {
						requested := memory * draws.below(200) / 100
						// An error is an event that is too old: not taken in by either.
						_ = pod.RecordOOM(at.Add(-time.Duration(draws.below(20))*time.Second),
							model.ResourceAmount(requested))
					} else if chance < 4 {
						group.pods[p] = model.NewContainerState(nil, group.state)
					}
				}
			}
		}
		if s == steps/2 || s == steps-1 {
			states := model.ContainerNameToAggregateStateMap{}
			for c, of := range all {
				merged := model.NewAggregateContainerState()
				for _, group := range of {
					merged.MergeContainerState(group.state)
				}
				states[fmt.Sprintf("c%d", c)] = merged
			}
			at := 0
			if s == steps-1 {
				at = 1
			}
			told.Looks[at] = look(states, recommender)
		}
		now += step + draws.below(step)
	}
	if steps/2 == steps-1 {
		told.Looks[0] = told.Looks[1]
	}
	return told
}

func main() {
	number := func(i int) int64 {
		n, err := strconv.ParseInt(os.Args[i], 10, 64)
		if err != nil {
			panic(err)
		}
		return n
	}
	cases, first := number(1), number(2)
	recommender := logic.CreatePodResourceRecommender(logic.RecommendationConfig{
		SafetyMarginFraction:       0.15,
		PodMinCPUMillicores:        25,
		PodMinMemoryMb:             250,
		TargetCPUPercentile:        0.9,
		LowerBoundCPUPercentile:    0.5,
		UpperBoundCPUPercentile:    0.95,
		ConfidenceIntervalCPU:      24 * time.Hour,
		TargetMemoryPercentile:     0.9,
		LowerBoundMemoryPercentile: 0.5,
		UpperBoundMemoryPercentile: 0.95,
		ConfidenceIntervalMemory:   24 * time.Hour,
	})
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	lines := json.NewEncoder(out)
	for seed := first; seed < first+cases; seed++ {
		if err := lines.Encode(draw(seed, recommender)); err != nil {
			panic(err)
		}
	}
}
