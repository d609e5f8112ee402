"""Text of the report's page, for Jinja; look as the other pages of this program."""

STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem;
color:#1a1d21;background:#fff}
h1{font-size:1.5rem;margin-bottom:.3rem}h2{font-size:1.15rem;margin-top:2.2rem}
h3{font-size:1rem;margin-top:1.4rem}
.banner{border-left:.5rem solid #0b6e99;padding:.5rem 1rem;background:#eef5f8;margin:1rem 0}
.banner.simulated{border-color:#9a6700;background:#fff8e1}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:.8rem;margin:.6rem 0}
th,td{padding:.18rem .45rem;text-align:right;border-bottom:1px solid #dde1e6;vertical-align:top}
th{vertical-align:bottom}th.t,td.t{text-align:left}
tr.sure td{background:#eef5f8;font-weight:600}
figure{margin:1rem
0}img{max-width:100%;height:auto}figcaption,.dim{color:#5a6270;font-size:.85rem}
footer{margin-top:2.5rem;color:#5a6270;font-size:.85rem;border-top:1px solid #dde1e6}
@page{margin:14mm}
@media print{body{margin:0;max-width:none;font-size:10pt}.scroll{overflow:visible}
table{font-size:6.5pt}th,td{padding:.12rem .18rem}
figure{break-inside:avoid}h2,h3{break-after:avoid}tr{break-inside:avoid}
thead{display:table-header-group}
*{-webkit-print-color-adjust:exact;print-color-adjust:exact}}
"""

TEMPLATE = (
    """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{{ title }} ({{ source }} data)</title><style>"""
    + STYLE
    + """</style></head><body>
{% macro picture(name) %}
{% if name in pictures %}
<figure><img alt="{{ pictures[name].alt }}" src="data:image/png;base64,{{ pictures[name].data }}">
<figcaption>{{ pictures[name].alt }}{{ " (simulated data)" if simulated }}.</figcaption></figure>
{% endif %}
{% endmacro %}
{% macro comparisons(rows, with_contrast) %}
<div class="scroll"><table><thead><tr><th class="t">Structure</th><th class="t">Measure</th>
{% if with_contrast %}<th class="t">Contrast</th>{% endif %}<th>n</th>
<th>Difference [{{ coverage }}]</th><th>Per cent</th><th>Adjusted d</th>
<th>Hedges g</th><th>p</th><th>p perm.</th><th>q</th></tr></thead><tbody>
{% for row in rows %}
<tr{% if row.sure %} class="sure"{% endif %}><td class="t w">{{ row.structure }}</td>
<td class="t">{{ row.measure }}</td>
{% if with_contrast %}<td class="t">{{ row.contrast }}</td>{% endif %}<td>{{ row.n }}</td>
{% if row.remark %}<td class="t w" colspan="7">{{ row.remark }}</td>{% else %}
<td>{{ row.difference }}</td><td>{{ row.percent }}</td><td>{{ row.d }}</td><td>{{ row.g }}</td>
<td>{{ row.p }}</td><td>{{ row.p_permutation }}</td><td>{{ row.q }}</td>{% endif %}</tr>
{% endfor %}
</tbody></table></div>
{% endmacro %}
{% macro plain(table) %}
<div class="scroll"><table><thead><tr>{% for head in table.heads %}
<th class="{{ "t" if loop.first }}">{{ head }}</th>
{% endfor %}</tr></thead><tbody>
{% for row in table.rows %}<tr>{% for value in row %}<td class="{{ "t" if loop.first }}">
{{ value }}</td>{% endfor %}</tr>
{% endfor %}</tbody></table></div>
{% endmacro %}
<h1>{{ title }}</h1>
<p class="dim">{{ date }}, BrainstemALS {{ version }}. {{ research_use }}</p>
<div class="banner{{ " simulated" if simulated }}"><strong>{{ source_sentence }}</strong>
<ul>{% for line in findings %}<li>{{ line }}</li>{% endfor %}</ul></div>
<p class="dim">How to read it: <em>Adjusted d</em> is the difference in residual standard
deviations, negative where the first group has less. Brackets are {{ coverage }} intervals.
<em>Hedges g</em> is not adjusted. <em>p</em> rests on errors
that allow unequal spread (robust), <em>p perm.</em> on permutation; <em>q</em> is the false
discovery
rate of p within a contrast and family. Shaded rows and filled points: q below {{ alpha }}.
A star: not adjusted for site, which cannot be told apart from the groups.</p>

<h2>Methods</h2>
{% for part in methods %}<p>{{ part }}</p>{% endfor %}

<h2>Who came, and what was left out</h2>
<h3>Visits</h3>{{ plain(missing_visits) }}
<p class="dim">Whoever died, was ventilated or tracheostomised at any time counts as such; when a
visit would have been is not in the tables.</p>
<h3>Notes: what was left out, dropped or did not work</h3>
{% if notes %}
<div class="scroll"><table><thead><tr><th class="t">About</th><th class="t">What</th>
<th>How many</th><th class="t">Concerns</th></tr></thead>
<tbody>{% for note in notes %}<tr><td class="t w">{{ note.about }}</td><td class="t w">
{{ note.problem }}</td><td>{{ note.count or "" }}</td>
<td class="t w">{{ note.concerns|replace("_", " ") }}</td></tr>{% endfor %}</tbody></table></div>
<p class="dim">Numbers "a to b" are the lowest and the highest of that kind. group_notes.tsv names
everything that a note concerns.</p>
{% else %}<p>Nothing.</p>{% endif %}

<h2>ALS against controls</h2>
{{ picture("forest") }}
{% if apart %}<p><strong>* No scanner measured both groups: scanner and disease cannot be told
apart, and nothing is adjusted for site.</strong></p>{% endif %}
{% if groups %}<p class="dim">Regions, then the smallest p-values; everything is in
group_comparisons.tsv. n: patients / controls.</p>{{ comparisons(groups, false) }}
{% else %}<p>Not estimated; the notes say why.</p>{% endif %}
{{ picture("violins") }}
{{ picture("asymmetry") }}

<h2>Where in the brainstem</h2>
{% if "map_volume" in pictures or "map_fa" in pictures or "map_md" in pictures %}
{{ picture("map_volume") }}{{ picture("map_fa") }}{{ picture("map_md") }}
{% else %}<p>No map: no structure of the atlas was compared.</p>{% endif %}

<h2>By onset and by King's stage</h2>
{{ picture("levels") }}
{% if onsets %}<h3>Onset</h3>{{ comparisons(onsets, true) }}{% else %}<p>Onset: not compared.</p>
{% endif %}
{% if stages %}<h3>King's stage</h3>{{ comparisons(stages, true) }}{% else %}
<p>King's stage: not compared.</p>{% endif %}

<h2>Change over time</h2>
{{ picture("trajectories") }}
{% macro changes(rows) %}
<div class="scroll"><table><thead><tr><th class="t">Structure</th><th class="t">Measure</th>
<th class="t">Group or contrast</th>
<th>n</th><th>Per year [{{ coverage }}]</th><th>% per year</th><th>p</th><th>q</th>
<th class="t">Random effects</th></tr></thead><tbody>
{% for row in rows %}<tr{% if row.sure %} class="sure"{% endif %}><td class="t w">
{{ row.structure }}</td>
<td class="t">{{ row.measure }}</td><td class="t">{{ row.contrast }}</td><td>{{ row.n }}</td>
<td>{{ row.per_year }}</td><td>{{ row.percent }}</td><td>{{ row.p }}</td><td>{{ row.q }}</td>
<td class="t w">{{ row.random }}</td></tr>
{% endfor %}</tbody></table></div>
{% endmacro %}
{% if change %}
<p class="dim">Those who came back. Regions, then the smallest p-values; n: came back, of those with
a visit in the model (their visits). %: of the group's own mean at the first visit, in a contrast of
the second group's. A random intercept alone means that no spread of slopes between participants was
found. Everything, mimics too, is in group_change.tsv.</p>{{ changes(change) }}
{% else %}<p>Not estimated; the notes say why.</p>{% endif %}
<h3>All patients, also those who did not come back</h3>
{% if everybody %}
<p class="dim">Patients who get worse faster come back less often. Here the change may depend on the
ALSFRS-R at the first visit and its loss until then, and is that of the mean patient of the first
visit. Where this differs from the table above, those who came back are not like the others.</p>
{{ changes(everybody) }}
{% else %}<p>Not estimated; the notes say why.</p>{% endif %}
<h3>Change of each participant, visits processed together</h3>
{% if individual or beyond %}
{% if individual %}
<div class="scroll"><table><thead><tr><th class="t">Structure</th><th class="t">Measure</th>
<th class="t">Contrast</th><th>n</th><th>Mean change</th><th>Difference [{{ coverage }}]</th>
<th class="t">Unit</th><th>p</th><th>q</th></tr></thead><tbody>
{% for row in individual %}<tr{% if row.sure %} class="sure"{% endif %}><td class="t w">
{{ row.structure }}</td><td class="t">{{ row.measure }}</td><td class="t">{{ row.contrast }}</td>
<td>{{ row.n }}</td>
{% if row.remark %}<td class="t w" colspan="5">{{ row.remark }}</td>{% else %}
<td>{{ row.means }}</td><td>{{ row.difference }}</td><td class="t">{{ row.unit }}</td>
<td>{{ row.p }}</td><td>{{ row.q }}</td>{% endif %}</tr>{% endfor %}
</tbody></table></div>
{% else %}<p>Groups were not compared; the notes say why.</p>{% endif %}
{% if beyond %}
<div class="scroll"><table><thead><tr><th class="t">Structure</th><th class="t">Measure</th>
<th class="t">Group</th><th>Beyond measurement error</th><th>Share [{{ coverage }}]</th>
<th>p against controls</th></tr></thead><tbody>
{% for row in beyond %}<tr><td class="t w">{{ row.structure }}</td><td class="t">{{ row.measure }}
</td><td class="t">{{ row.group }}</td><td>{{ row.beyond }}</td><td>{{ row.share }}</td>
<td>{{ row.p }}</td></tr>{% endfor %}
</tbody></table></div>
<p class="dim">Participants whose own change lies beyond the error of its measurement. Without any
change about 1 in 20 would. Joint processing does not find the true size of a change: on simulated
exams the mean was too small or too large.
p: Fisher's exact test, not adjusted and not corrected. Everything is in
group_individual_change.tsv and group_beyond_error.tsv.</p>
{% else %}<p>Nobody's change could be judged against its error.</p>{% endif %}
{% else %}<p>Not there: no changes.tsv beside the tables. It is made by the participant level where
participants have two visits or more.</p>{% endif %}

<h2>Clinical scores, patients only</h2>
{% if correlations %}
<div class="scroll"><table><thead><tr><th class="t">Score</th><th class="t">Structure</th>
<th class="t">Measure</th><th>n</th>
<th>Partial rho [{{ coverage }}]</th><th>p</th><th>q</th></tr></thead><tbody>
{% for row in correlations %}<tr{% if row.sure %} class="sure"{% endif %}><td class="t w">
{{ row.score }}</td>
<td class="t w">{{ row.structure }}</td><td class="t">{{ row.measure }}</td><td>{{ row.n }}</td>
<td>{{ row.rho }}</td><td>{{ row.p }}</td><td>{{ row.q }}</td></tr>{% endfor %}
</tbody></table></div>
<p class="dim">Regions, then the smallest p-values; everything is in group_correlations.tsv.</p>
{% else %}<p>Not estimated; the notes say why.</p>{% endif %}

<h2>Order of change</h2>
{% if spread %}{{ picture("spread") }}
<p>Structures without a place, because they differ too little between patients and controls, or too
few people have them: {{ spread.left_out|join(", ")|replace("_", " ") or "none" }}. The order rests
on where many patients stand at a visit; few were followed, and only for months. Places that the
bootstrap shares between several events are not known.</p>
{% else %}<p>Not estimated.</p>{% endif %}

<h2>Sensitivity</h2>
{% if variants %}
<div class="scroll"><table><thead><tr><th class="t">ALS against controls, analysed</th><th>n</th>
<th>Estimated</th><th>Found</th>
<th>Lost</th><th>New</th><th>Largest change of d</th><th class="t">In</th>
<th>Correlation of d</th></tr></thead><tbody>
{% for row in variants %}<tr><td class="t w">{{ row.variant }}</td><td>{{ row.n }}</td><td>
{{ row.estimated }}</td>
<td>{{ row.found }}</td><td>{{ row.lost }}</td><td>{{ row.new }}</td><td>
{{ row.largest_change_of_d }}</td>
<td class="t w">{{ row.structure_of_largest_change|replace("_", " ") }}</td><td>
{{ row.correlation_of_d }}</td></tr>
{% endfor %}</tbody></table></div>
<p class="dim">Found: q below {{ alpha }}; lost and new: against the analysis as reported.
<strong>ComBat finds too much where scanners are shared unevenly</strong>: in simulated cohorts
without any effect, with patients and controls mostly at different scanners, it gave p below 0.05 in
34 to 40 % of tests, site as a covariate in 5 to 6 % (docs/results/group_recovery.md). What is new
with it alone is no finding.</p>
{% else %}<p>Not run.</p>{% endif %}

<h2>Missing data</h2>
<h3>Measures by group and visit</h3>{{ plain(missing_measures) }}
<h3>Covariates and scores</h3>{{ plain(missing_covariates) }}
<footer><p>{{ source_sentence }} {{ research_use }} BrainstemALS {{ version }}, {{ date }}.
{% if command %}Command: <code>{{ command }}</code>{% endif %}</p></footer>
</body></html>
"""
)
