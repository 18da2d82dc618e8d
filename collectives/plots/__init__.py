"""Plot what an analysis found: each picture with a pure function for its data beside it."""

from collectives.plots.bandwidth import Curve as Curve
from collectives.plots.bandwidth import bandwidth_conclusion as bandwidth_conclusion
from collectives.plots.bandwidth import bandwidth_curves as bandwidth_curves
from collectives.plots.bandwidth import crossovers as crossovers
from collectives.plots.bandwidth import plot_bandwidth as plot_bandwidth
from collectives.plots.distribution import Distribution as Distribution
from collectives.plots.distribution import load_distribution as load_distribution
from collectives.plots.distribution import plot_distribution as plot_distribution
from collectives.plots.fabric import plot_fabric as plot_fabric
from collectives.plots.failures import Failures as Failures
from collectives.plots.failures import failure_curves as failure_curves
from collectives.plots.failures import plot_failures as plot_failures
from collectives.plots.gantt import Span as Span
from collectives.plots.gantt import gantt_conclusion as gantt_conclusion
from collectives.plots.gantt import gantt_spans as gantt_spans
from collectives.plots.gantt import plot_gantt as plot_gantt
from collectives.plots.latency import Wait as Wait
from collectives.plots.latency import critical_waits as critical_waits
from collectives.plots.latency import plot_latency as plot_latency
from collectives.plots.loads import LoadPanel as LoadPanel
from collectives.plots.loads import load_panels as load_panels
from collectives.plots.loads import plot_loads as plot_loads
from collectives.plots.machines import Measure as Measure
from collectives.plots.machines import machine_measures as machine_measures
from collectives.plots.machines import plot_machines as plot_machines
from collectives.plots.steps import Bar as Bar
from collectives.plots.steps import plot_steps as plot_steps
from collectives.plots.steps import step_bars as step_bars
from collectives.plots.traffic import Traffic as Traffic
from collectives.plots.traffic import plot_traffic as plot_traffic
from collectives.plots.traffic import traffic_matrix as traffic_matrix
from topology.calls import check_calls

check_calls(__name__)
