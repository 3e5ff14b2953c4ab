#!/usr/bin/env python3
"""Draws the pictures of docs/control.md from runs that `clobber simulate` makes: docs/pictures/draw.py build/release/clobber

Virtual time, and the plan's own seed: the same program draws the same pictures. A second argument names another folder for them."""

import collections
import json
import os
import subprocess
import sys
import tempfile

WIDTH, LEFT, RIGHT, GAP = 760, 64, 16, 46
# Each with its colours for a light and a dark page.
COLOURS = {"paper": ("#ffffff", "#0d1117"), "ink": ("#24292f", "#d0d7de"), "grid": ("#d8dee4", "#2b3138"), "goal": ("#6e7781", "#9198a1"),
           "first": ("#0969da", "#58a6ff"), "second": ("#bc4c00", "#f0883e"), "third": ("#1a7f37", "#3fb950")}
STATUS_COLOURS = {"steady": "third", "saturated": "second", "bounded": "first", "generator_bound": "second"}

Run = collections.namedtuple("Run", "ticks result")
Axis = collections.namedtuple("Axis", "title most step")
Series = collections.namedtuple("Series", "label colour points")


def simulate(clobber, goal, plant, more):
    """One run of a plan against a plant: its ticks under load, and its result."""
    with tempfile.TemporaryDirectory(prefix="clobber-pictures-") as folder:
        plan, out = os.path.join(folder, "plan.yaml"), os.path.join(folder, "out")
        with open(plan, "w", encoding="utf-8") as file:
            file.write(f"version: 1\nname: picture\ntarget: http://127.0.0.1:9\ngoal: {goal}\n{more}\n")
        told = subprocess.run([clobber, "simulate", plan, "--plant", plant, "--quiet", "--out", out],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if told.returncode not in (0, 1, 4):  # met, missed, missed for want of generators: all can be drawn
            sys.exit(told.stdout)
        with open(os.path.join(out, "run.jsonl"), encoding="utf-8") as file:
            lines = [json.loads(line) for line in file]
    ticks = [line for line in lines if line["line"] == "tick" and line["state"] in ("warming", "running")]
    return Run(ticks, lines[-1]["result"])


def over_time(run, label, colour, value):
    """A series of value(tick), or of the key of that name, over the seconds of the run."""
    take = value if callable(value) else lambda tick: tick[value]
    return Series(label, colour, [(tick["at_ns"] / 1e9, take(tick)) for tick in run.ticks])


# Drawing --------------------------------------------------------------------------------------------------------------

def width_of(words):
    """About, for no font is known here: those of screens are much alike."""
    return sum(4 if letter in "fijlrt ,:;()" else 10 if letter in "mw%" else 7.3 for letter in words)


class Picture:
    """Panels below each other. Text is text, so that it can be read aloud and searched."""

    def __init__(self, title):
        self.title, self.parts, self.bottom = title, [], 12

    def add(self, shape):
        self.parts.append(shape)

    def text(self, x, y, words, colour="ink", anchor="start"):
        self.add(f'<text x="{x:.1f}" y="{y:.1f}" class="{colour}" text-anchor="{anchor}">{words}</text>')

    def panel(self, across, up, height=130):
        panel = Panel(self, across, up, self.bottom + 22, height)
        self.bottom += 22 + height + GAP
        return panel

    def statuses(self, run, across):
        """A strip that tells the status of each tick, below the panel that was added last."""
        spans = []
        for tick in run.ticks:
            at_s = tick["at_ns"] / 1e9
            if not spans or spans[-1][0] != tick["status"]:
                spans.append([tick["status"], at_s, at_s])
            spans[-1][2] = at_s + 0.1
        for status, begin_s, end_s in spans:
            colour = STATUS_COLOURS.get(status, "goal")
            left, right = (LEFT + (WIDTH - LEFT - RIGHT) * min(at_s / across.most, 1.0) for at_s in (begin_s, end_s))
            self.add(f'<rect x="{left:.1f}" y="{self.bottom - 6}" width="{right - left:.1f}" height="18" class="fill {colour}"/>')
            if right - left > 7 * len(status):
                self.text((left + right) / 2, self.bottom + 7, status, colour, "middle")
        self.text(LEFT - 8, self.bottom + 7, "status", "ink", "end")
        self.bottom += 22

    def save(self, path):
        def styles(which):
            return "".join(f".{name}{{stroke:{colour[which]};fill:{colour[which]}}}" for name, colour in COLOURS.items())
        height = self.bottom + 6
        with open(path, "w", encoding="utf-8") as file:
            file.write(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img">\n'
                       f"<title>{self.title}</title>\n<style>{styles(0)}\n@media (prefers-color-scheme: dark){{{styles(1)}}}\n"
                       "text[class]{font:12px system-ui,sans-serif;stroke:none}polyline[class]{fill:none;stroke-width:1.6;stroke-linejoin:round}"
                       "[class~=dashed]{stroke-dasharray:5 4}[class~=fill]{stroke:none;fill-opacity:.16}[class~=paper]{stroke:none}</style>\n"
                       f'<rect width="{WIDTH}" height="{height}" class="paper"/>\n')
            file.write("\n".join(self.parts) + "\n</svg>\n")


class Panel:
    """One pair of axes, both from 0."""

    def __init__(self, picture, across, up, top, height):
        self.picture, self.across, self.up, self.top, self.height = picture, across, up, top, height
        self.width, self.legend = WIDTH - LEFT - RIGHT, WIDTH - RIGHT
        for value in self.steps(up):
            y = self.y(value)
            picture.add(f'<line x1="{LEFT}" y1="{y:.1f}" x2="{LEFT + self.width}" y2="{y:.1f}" class="grid"/>')
            picture.text(LEFT - 8, y + 4, f"{value:g}", anchor="end")
        for value in self.steps(across):
            x = self.x(value)
            picture.add(f'<line x1="{x:.1f}" y1="{top + height}" x2="{x:.1f}" y2="{top + height + 4}" class="goal"/>')
            picture.text(x, top + height + 17, f"{value:g}", anchor="middle")
        picture.text(LEFT + self.width, top + height + 30, across.title, anchor="end")
        picture.text(LEFT, top - 9, up.title)

    @staticmethod
    def steps(axis):
        return [axis.step * i for i in range(int(axis.most / axis.step + 1e-9) + 1)]

    def x(self, value):
        return LEFT + self.width * min(max(value / self.across.most, 0.0), 1.0)

    def y(self, value):
        return self.top + self.height * (1.0 - min(max(value / self.up.most, 0.0), 1.0))

    def name(self, label, colour, dashed=""):
        """Adds to the legend, which grows from the right."""
        self.picture.text(self.legend, self.top - 9, label, colour, "end")
        self.legend -= width_of(label) + 8
        y = self.top - 13
        self.picture.add(f'<line x1="{self.legend - 18:.1f}" y1="{y}" x2="{self.legend:.1f}" y2="{y}" class="{colour}{dashed}" '
                         'stroke-width="2"/>')
        self.legend -= 34

    def line(self, series, dashed=""):
        """What lies above the panel is left out, and told by the label."""
        pieces = [[]]
        for x, y in series.points:
            if x > self.across.most:
                break
            if y <= self.up.most:
                pieces[-1].append(f"{self.x(x):.1f},{self.y(y):.1f}")
            elif pieces[-1]:
                pieces.append([])
        for piece in filter(None, pieces):
            self.picture.add(f'<polyline points="{" ".join(piece)}" class="{series.colour}{dashed}"/>')
        self.name(series.label, series.colour, dashed)

    def level(self, label, value):
        self.line(Series(label, "goal", [(0.0, value), (self.across.most, value)]), " dashed")

    def dots(self, series, weights):
        for (x, y), weight in zip(series.points, weights):
            if x <= self.across.most:
                radius = 2.5 + min(weight, 10.0) * 0.35
                self.picture.add(f'<circle cx="{self.x(x):.1f}" cy="{self.y(y):.1f}" r="{radius:.1f}" class="{series.colour}" '
                                 'fill-opacity=".55"/>')
        self.name(series.label, series.colour)

    def band(self, begin, end, words=""):
        """What was done to the target meanwhile."""
        left, right = self.x(begin), self.x(end)
        self.picture.add(f'<rect x="{left:.1f}" y="{self.top}" width="{right - left:.1f}" height="{self.height}" class="fill goal"/>')
        if words:
            self.picture.text((left + right) / 2, self.top + self.height - 7, words, "goal", "middle")

    def mark(self, value, words):
        x = self.x(value)
        self.picture.add(f'<line x1="{x:.1f}" y1="{self.top}" x2="{x:.1f}" y2="{self.top + self.height}" class="third dashed"/>')
        self.picture.text(x + 6, self.top + self.height - 8, words, "third")


# Pictures -------------------------------------------------------------------------------------------------------------


def hold_latency(clobber):
    run = simulate(clobber, "{hold: 5000/s}", "delay=5ms,service=4ms,servers=256,latency=x4@10s-20s", "duration: 30s")
    picture = Picture("Open arrivals: latency grows to four times and falls again; the rate stays")
    seconds = Axis("seconds", 30, 5)
    panel = picture.panel(seconds, Axis("throughput, answers/s", 6000, 2000))
    panel.band(10, 20, "delay of 20 ms instead of 5")
    panel.level("goal", 5000)
    panel.line(over_time(run, "measured", "first", "throughput_per_s"))
    panel = picture.panel(seconds, Axis("workers", 250, 50))
    panel.band(10, 20)
    panel.line(over_time(run, "in flight", "first", "in_flight_mean"))
    panel.line(over_time(run, "connected", "third", "workers"))
    panel.line(over_time(run, "kept ready (floor)", "second", "floor"))
    picture.statuses(run, seconds)
    return picture


def hold_capacity(clobber):
    run = simulate(clobber, "{hold: 5000/s}", "delay=5ms,service=4ms,servers=32,servers=x0.5@10s-30s", "duration: 40s")
    picture = Picture("Open arrivals: half of the servers are gone for a while; the knee is held, and left again")
    seconds = Axis("seconds", 40, 5)
    panel = picture.panel(seconds, Axis("throughput, answers/s", 6000, 2000))
    panel.band(10, 30, "16 servers of 32: 4000/s")
    panel.level("goal", 5000)
    panel.line(over_time(run, "measured", "first", "throughput_per_s"))
    panel = picture.panel(seconds, Axis("workers", 250, 50))
    panel.band(10, 30)
    panel.level("knee, 4000/s x 9 ms", 4000 * 0.009)
    panel.line(over_time(run, "in flight", "first", "in_flight_mean"))
    panel.line(over_time(run, f"allowed ({run.ticks[-1]['concurrency']:.0f} while steady)", "second", "concurrency"))
    picture.statuses(run, seconds)
    return picture


def scalability(delay_s, rate_per_s, contention, coherency, most):
    """[(in flight, answers/s)] of a system by Gunther's law that stands behind a delay; what the delay holds is Little's law."""
    points = [(0.0, 0.0)]
    inside = 0
    while points[-1][0] < most:
        inside += 1
        throughput = inside * rate_per_s / (1.0 + (inside - 1) * (contention + coherency * inside))
        points.append((inside + delay_s * throughput, throughput))
    return points


def knee(points):
    """The fewest workers with 98 % of the most there is."""
    enough = 0.98 * max(throughput for _, throughput in points)
    return next(in_flight for in_flight, throughput in points if throughput >= enough)


def maximize(clobber):
    run = simulate(clobber, "{maximize: throughput}", "delay=5ms,usl=400/s:0.015:0.00008", "duration: 10s")
    picture = Picture("Maximize: the search over time, and where it has been on the target's curve")
    law = scalability(0.005, 400, 0.015, 0.00008, 400)
    seconds, answers = Axis("seconds", 10, 1), Axis("throughput, answers/s", 15000, 5000)
    panel = picture.panel(seconds, answers)
    panel.level("the most there is", max(throughput for _, throughput in law))
    panel.line(over_time(run, "measured", "first", "throughput_per_s"))
    panel = picture.panel(seconds, Axis("workers", 250, 50))
    panel.level("knee", knee(law))
    panel.line(over_time(run, "in flight", "first", "in_flight_mean"))
    picture.statuses(run, seconds)
    picture.bottom += 14
    panel = picture.panel(Axis("requests in flight", 400, 50), answers, 190)
    panel.line(Series("the target's own curve", "goal", law))
    curve = run.result["control"]["curve"]
    panel.dots(Series("measured; larger: longer", "first", [(level["concurrency"], level["throughput_per_s"]) for level in curve]),
               [level["seconds"] for level in curve])
    panel.mark(knee(law), "knee: 98 % of the most")
    return picture


def maximize_while(clobber):
    run = simulate(clobber, "{maximize: throughput, while: [latency.p(99) < 20ms]}",
                   "delay=5ms,service=4ms,servers=64,spread=0.5,servers=x0.5@15s-30s", "duration: 45s")
    picture = Picture("Maximize while p99 stays below 20 ms, on a target that loses half of its servers for a while")
    seconds = Axis("seconds", 45, 5)
    panel = picture.panel(seconds, Axis("p99 of latency, ms", 40, 10))
    panel.band(15, 30, "32 servers of 64")
    panel.level("bound", 20)
    panel.line(over_time(run, "measured", "second", lambda tick: (tick["latency_quantile_ns"] or 0) / 1e6))
    panel = picture.panel(seconds, Axis("throughput, answers/s", 20000, 5000))
    panel.band(15, 30)
    panel.line(over_time(run, "measured", "first", "throughput_per_s"))
    panel = picture.panel(seconds, Axis("workers", 300, 100))
    panel.band(15, 30)
    panel.line(over_time(run, "in flight", "first", "in_flight_mean"))
    picture.statuses(run, seconds)
    return picture


def generator_bound(clobber):
    run = simulate(clobber, "{hold: stages}", "delay=5ms,service=4ms,servers=256,lane=20k/s",
                   "stages: [{duration: 20s, to: 30k/s}, {duration: 20s, to: 0/s}]")
    picture = Picture("The CPU of the generator ends before the target does, and is named for it")
    seconds = Axis("seconds", 40, 5)
    panel = picture.panel(seconds, Axis("throughput, thousand answers/s", 40, 10))
    panel.line(over_time(run, "goal", "goal", lambda tick: tick["goal"] / 1000), " dashed")
    panel.line(over_time(run, "measured", "first", lambda tick: tick["throughput_per_s"] / 1000))
    panel = picture.panel(seconds, Axis("the generator's CPU, %", 100, 25))
    panel.line(over_time(run, "busy", "second", lambda tick: 100 * max(agent["load"] for agent in tick["agents"])))
    picture.statuses(run, seconds)
    return picture


PICTURES = {"hold-latency": hold_latency, "hold-capacity": hold_capacity, "maximize": maximize, "maximize-while": maximize_while,
            "generator-bound": generator_bound}


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    folder = sys.argv[2] if len(sys.argv) == 3 else os.path.dirname(os.path.abspath(__file__))
    for name, draw in PICTURES.items():
        draw(sys.argv[1]).save(os.path.join(folder, f"{name}.svg"))


if __name__ == "__main__":
    main()
