"""Plots of the benchmark, as SVG, by matplotlib (Debian's python3-matplotlib, which is needed for nothing else)."""

import statistics

OURS, OTHERS, WARN = "#c2410c", "#64748b", "#1e293b"
KIND_COLOURS = ("#7f1d1d", "#c2410c", "#eab308", "#0369a1", "#6d28d9", "#475569")
LINE_COLOURS = ("#0369a1", "#0891b2", "#15803d", "#6d28d9", "#a16207", "#475569", "#be185d", "#1e293b")


def _figure(rows=1, columns=1, size=(9, 4), **how):
    """White below everything, so that it can be read on a dark page too; text stays text, so that the files are small."""
    import matplotlib
    matplotlib.use("svg")
    from matplotlib import pyplot
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "gracefuld", "font.family": "sans-serif", "font.size": 9,
                                "axes.spines.top": False, "axes.spines.right": False, "figure.facecolor": "white",
                                "axes.facecolor": "white", "axes.titlesize": 10, "axes.titleweight": "bold"})
    return pyplot.subplots(rows, columns, figsize=size, layout="constrained", squeeze=False, **how)


def _save(figure, path):
    from matplotlib import pyplot
    figure.savefig(path, format="svg", facecolor="white", metadata={"Date": None})
    pyplot.close(figure)


def _names(axis, names, ours):
    """The servers, from top to bottom; ours stands out."""
    axis.set_yticks(range(len(names)), names)
    axis.invert_yaxis()
    for label, is_ours in zip(axis.get_yticklabels(), ours):
        label.set_fontweight("bold" if is_ours else "normal")
        label.set_color(OURS if is_ours else WARN)
    axis.tick_params(axis="y", length=0)


def _count(axis):
    """From 0 on, and by powers of ten: 1 failure is to be seen beside 10,000."""
    axis.set_xscale("symlog", linthresh=1, linscale=0.5)
    axis.set_xlim(left=0)
    from matplotlib.ticker import FuncFormatter, NullLocator
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axis.xaxis.set_minor_locator(NullLocator())
    axis.grid(axis="x", alpha=0.3)


def _bars(axis, values, ours, texts):
    axis.barh(range(len(values)), values, color=[OURS if is_ours else OTHERS for is_ours in ours], height=0.65)
    for n, (value, text) in enumerate(zip(values, texts)):
        axis.annotate(text, (value, n), xytext=(4, 0), textcoords="offset points", va="center",
                      fontweight="bold" if ours[n] else "normal", color=OURS if ours[n] else WARN)


def overview(path, rows, idle, cap):
    """rows: (name, ours, failed requests a reload, idle connections closed, seconds until the old have gone or None, measured)."""
    names, ours, failed, closed, gone, measured = zip(*rows)
    figure, axes = _figure(1, 3, (11, 0.42 * len(rows) + 1.6), sharey=True)
    first, second, third = axes[0]
    _bars(first, failed, ours, [f"{value:,.0f}" for value in failed])
    _count(first)
    first.set_xlim(right=max(10, *failed) * 12)
    first.set_title("Failed requests\nfor each reload")
    first.set_xlabel("requests of all loads together (by powers of ten)")
    _bars(second, closed, ours, [f"{value:,.0f}" for value in closed])
    second.set_xlim(0, idle * 1.3)
    second.grid(axis="x", alpha=0.3)
    second.set_title("Idle connections\nthat it closes")
    second.set_xlabel(f"of {idle:,} connections")
    shown = [cap if value is None else value for value in gone]
    _bars(third, shown, ours, ["not measured" if not was else f"> {cap:.0f} s" if value is None else f"{value * 1000:,.0f} ms"
                               for value, was in zip(gone, measured)])
    third.set_xlim(0, cap * 1.3)
    third.grid(axis="x", alpha=0.3)
    third.set_title("Until the old processes have gone,\nwith one slow client")
    third.set_xlabel("seconds")
    _names(first, names, ours)
    figure.suptitle("What clients notice of a reload (less is better)", fontweight="bold")
    _save(figure, path)


def failures(path, stacks, loads, kinds):
    """stacks: (name, ours, {load: {kind: a reload}})."""
    names, ours, _ = zip(*stacks)
    figure, axes = _figure(1, len(loads), (11, 0.42 * len(stacks) + 2.0), sharey=True)
    for axis, load in zip(axes[0], loads):
        # A stack on a scale of powers of ten would lie about its parts: they stand side by side, each from 0.
        height = 0.8 / len(kinds)
        for k, (kind, colour) in enumerate(zip(kinds, KIND_COLOURS)):
            values = [found[load][kind] for _, _, found in stacks]
            axis.barh([n + (k - (len(kinds) - 1) / 2) * height for n in range(len(stacks))], values, height=height, color=colour, label=kind)
        for n, (_, is_ours, found) in enumerate(stacks):
            total = sum(found[load].values())
            axis.annotate(f"{total:,.0f}" if total >= 1 or total == 0 else f"{total:.1f}", (max(found[load].values()), n), xytext=(4, 0),
                          textcoords="offset points", va="center", fontweight="bold" if is_ours else "normal")
        _count(axis)
        axis.set_xlim(right=max(10, *(max(found[load].values()) for _, _, found in stacks)) * 8)
        axis.set_title(load)
        axis.set_xlabel("failed requests for each reload")
    _names(axes[0][0], names, ours)
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.get_layout_engine().set(rect=(0, 0.07, 1, 0.93))
    figure.legend(handles, labels, loc="lower center", ncols=len(kinds), frameon=False)
    figure.suptitle("Failed requests by kind (by powers of ten; figures are the sums)", fontweight="bold")
    _save(figure, path)


def latency(path, series, rate, connections):
    """series: (name, ours, [(seconds, median, most)])."""
    if not series:
        return
    columns = min(3, len(series))
    rows = -(-len(series) // columns)
    figure, axes = _figure(rows, columns, (11, 2.1 * rows + 1), sharex=True, sharey=True)
    for axis, (name, is_ours, points) in zip(axes.flat, series):
        colour = OURS if is_ours else LINE_COLOURS[0]
        at, middle, most = zip(*points)
        axis.plot(at, most, color=colour, linewidth=1, label="longest")
        axis.plot(at, middle, color=colour, linewidth=1, linestyle=":", label="median")
        axis.axvline(0, color=WARN, linewidth=0.8, linestyle="--")
        axis.set_yscale("log")
        axis.grid(axis="y", alpha=0.3)
        axis.set_title(name, color=OURS if is_ours else WARN)
    from matplotlib.ticker import FuncFormatter
    axes.flat[0].yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    for axis in axes.flat[len(series):]:
        axis.set_visible(False)
    axes.flat[0].legend(frameon=False, loc="upper right")
    figure.supxlabel("seconds since the reload (dashed); each point is 20 ms of requests, of all rounds; where there is none, none was answered")
    figure.supylabel("latency, ms")
    figure.suptitle(f"Latency through a reload: {rate:,} requests a second on {connections} open connections", fontweight="bold")
    _save(figure, path)


def memory(path, curves, until):
    """curves: (name, ours, [(seconds, MiB)]); who stays for longer than `until` is cut off there."""
    figure, axes = _figure(size=(9, 5))
    axis = axes[0][0]
    colours = iter(LINE_COLOURS * 2)
    for name, is_ours, points in curves:
        axis.plot(*zip(*points), color=OURS if is_ours else next(colours), linewidth=2.5 if is_ours else 1.3, label=name, zorder=3 if is_ours else 2)
    axis.axvline(0, color=WARN, linewidth=0.8, linestyle="--")
    axis.set_xlim(-0.5, until)
    axis.set_yscale("log")
    from matplotlib.ticker import FuncFormatter
    axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.yaxis.set_minor_formatter(FuncFormatter(lambda value, _: f"{value:g}" if f"{value:e}"[0] in "25" else ""))
    axis.grid(axis="y", which="both", alpha=0.2)
    axis.set_xlabel("seconds since the reload (dashed)")
    axis.set_ylabel("memory of all its processes, MiB (PSS)")
    axis.set_title("Memory through a reload, with idle connections")
    axis.legend(loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False)
    _save(figure, path)


def requests_per_cpu(path, bars):
    """bars: (name, ours, [on open connections], [on new ones])."""
    names, ours, open_ones, new_ones = zip(*bars)
    figure, axes = _figure(1, 2, (10, 0.42 * len(bars) + 1.5), sharey=True)
    for axis, values, title in zip(axes[0], (open_ones, new_ones), ("on open connections", "a new connection each")):
        middle = [statistics.median(each) if each else 0 for each in values]
        _bars(axis, middle, ours, [f"{value / 1000:,.1f}" for value in middle])
        axis.set_xlim(0, max(middle) * 1.18 or 1)
        axis.set_title(title)
        axis.set_xlabel("thousand requests for each second of the processor")
        axis.grid(axis="x", alpha=0.3)
        from matplotlib.ticker import FuncFormatter
        axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / 1000:,.0f}"))
    _names(axes[0][0], names, ours)
    figure.suptitle("What a request costs a server's processes (more is better)", fontweight="bold")
    _save(figure, path)


def growth(path, curves, figures):
    """curves: {name: {count: [figures of each round]}}; figures: {name: unit}. A panel each; no line is to be steeper than the
    dashed one, which is growth in proportion."""
    from matplotlib.ticker import FuncFormatter
    figure, axes = _figure(len(figures), 1, (9, 2.5 * len(figures)), sharex=True)
    for n, (axis, (name, unit)) in enumerate(zip(axes[:, 0], figures.items())):
        for (curve, points), colour in zip(curves.items(), (OURS, *LINE_COLOURS)):
            shown = [(count, statistics.median(each[n] for each in rounds)) for count, rounds in points.items() if count > 0]
            axis.plot(*zip(*shown), color=colour, marker="o", markersize=3, linewidth=1.3, label=curve)
        axis.set_xscale("log")
        axis.set_yscale("log")
        for which in (axis.xaxis, axis.yaxis):
            which.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
        axis.yaxis.set_minor_formatter(FuncFormatter(lambda value, _: f"{value:,g}" if f"{value:e}"[0] in "25" else ""))
        least, most = axis.get_ylim()
        start = least * 1.3
        axis.plot((1, most / start), (start, most), color="#cbd5e1", linewidth=1, linestyle="--", zorder=0, label="in proportion")
        axis.set_ylim(least, most)
        axis.set_title(name)
        axis.set_ylabel(unit)
        axis.grid(alpha=0.2)
    axes[-1, 0].set_xlim(0.9, 20000)
    axes[-1, 0].set_xlabel("how many")
    axes[0, 0].legend(loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False)
    figure.suptitle("How a reload's cost grows with what there is", fontweight="bold")
    _save(figure, path)
