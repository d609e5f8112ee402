# Everything from a fresh clone: needs make and Python 3.11 to 3.13, nothing else by hand.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/installed
STAMP_CLI := $(VENV)/installed-cli
OUT    ?= demo-output
ARGS   ?=

export PYTHONPATH := $(CURDIR)/BrainstemALS:$(CURDIR)

# Training allocates and frees the same large arrays every step: without these, glibc gives each back
# to the kernel and gets it zeroed again, a third of a step's time (docs/decisions/0004).
train baseline few-labels loops: export MALLOC_MMAP_MAX_ = 0
train baseline few-labels loops: export MALLOC_TRIM_THRESHOLD_ = 100000000000
train baseline few-labels loops: export MALLOC_TOP_PAD_ = 300000000
train baseline few-labels loops: export OMP_WAIT_POLICY = PASSIVE

.DEFAULT_GOAL := help
.PHONY: help install demo doctor test lint lint-imports format screenshots package atlas train baseline
.PHONY: few-labels loops cohorts predictions calibrate evaluate card bench clean

help: ## Show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1|\2/' | column -t -s '|' 2>/dev/null \
	  || grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST)

install: $(STAMP) ## Build the environment in .venv

# torch comes first and by itself: what is asked for later then finds it satisfied, instead of
# bringing another build. A torch that is already in .venv (a CUDA build, say) is kept, so the
# constraints are given without it.
$(STAMP_CLI): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
	  || { echo "BrainstemALS needs Python 3.11 to 3.13; name one with: make PYTHON=python3.12"; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -c 'import torch' 2>/dev/null || $(BIN)/python -m pip install --quiet "torch==2.13.0"
	grep -v '^torch==' constraints.txt > $(VENV)/constraints.txt
	$(BIN)/python -m pip install --quiet -c $(VENV)/constraints.txt -e '.[cli]'
	@touch $@

# What training, its evaluation and the tests need besides.
$(STAMP): $(STAMP_CLI)
	$(BIN)/python -m pip install --quiet -c $(VENV)/constraints.txt -e '.[cli,cohort,train,dev,slicer]'
	@touch $@

demo: $(STAMP_CLI) ## Segment the ICBM 2009 T1 and a simulated patient; OUT=folder
	$(BIN)/brainstem-als demo --out $(OUT) --overwrite

doctor: $(STAMP_CLI) ## Say what is installed, which device, which model
	$(BIN)/brainstem-als doctor

# The processes of pytest share the cores: with several threads each they would wait for one another,
# which doubles the time of a segmentation. Testing/conftest.py puts slow files first.
test: $(STAMP) ## Run the tests
	Testing/host/system_libraries.sh $(BIN)/python
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile \
	  --no-loadscope-reorder -m "not alone" $(ARGS)
	$(BIN)/python -m pytest -m alone $(ARGS) || test $$? -eq 5 # 5: none was chosen

lint: $(STAMP) ## Check style and layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache

lint-imports: $(STAMP)
	$(BIN)/lint-imports --no-cache

format: $(STAMP) ## Write the code in the house's format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

screenshots: $(STAMP) ## Draw the pictures of the panel in docs/screenshots
	BRAINSTEM_ALS_SCREENSHOTS=$(CURDIR)/docs/screenshots $(BIN)/python -m pytest -q Testing/gui/test_screenshots.py
	$(BIN)/python -m tools.shrink_pictures --palette $(CURDIR)/docs/screenshots/*.png

package: ## Pack the module as an installed Slicer extension in build/extension
	$(PYTHON) -m tools.package_extension $(ARGS)

atlas: $(STAMP) ## Build the training atlas and the anatomies from ../shared/data
	$(BIN)/python -m training.atlas
	$(BIN)/python -m training.anatomies

train: $(STAMP) ## Train the models; SMOKE=1 for a run of under 3 minutes
ifdef SMOKE
	$(BIN)/python -m training.smoke $(ARGS)
else
	$(BIN)/python -m training.locator
	$(BIN)/python -m training.train $(ARGS)
endif

baseline: $(STAMP) ## Train the plain supervised U-Net that ours is compared with
	$(BIN)/python -m training.supervised $(ARGS)

few-labels: $(STAMP) ## Run the study of few labels (about an hour) and write its page
	$(BIN)/python -m training.experiments.curve $(ARGS)

loops: $(STAMP) ## Run the studies of the learning loop (about two hours) and write their pages
	OMP_NUM_THREADS=1 $(BIN)/python -m training.active.study --minutes 600 $(ARGS)
	$(BIN)/python -m training.active.tuning_study
	OMP_NUM_THREADS=1 $(BIN)/python -m training.active.gate_study --seed 4

cohorts: $(STAMP) ## Simulate cohorts, run their images, measure all that is said of cohorts (about an hour)
	OMP_NUM_THREADS=1 $(BIN)/python -m training.cohort.imaging
	$(BIN)/brainstem-als cohort data/cohort/imaging/bids data/cohort/imaging/results participant
	$(BIN)/python -m training.evaluation.imaging_cohort --write
	$(BIN)/python -m training.evaluation.cohort_marginals
	$(BIN)/python -m training.norms
	$(BIN)/python -m training.evaluation.norms
	$(BIN)/python -m training.evaluation.longitudinal_error --write
	$(BIN)/python -m training.evaluation.longitudinal
	$(BIN)/python -m training.evaluation.group_recovery
	$(BIN)/python -m training.evaluation.spread_order
	$(BIN)/python -m training.evaluation.cohort_scale

predictions: $(STAMP) ## Fit the prediction models on simulated cohorts, measure them, write their cards (40 minutes; after make cohorts)
	for part in measurement classification stage disease_stage progression survival reference; do \
	  OMP_NUM_THREADS=1 $(BIN)/python -m training.prediction.$$part || exit; done
	for part in classification stage progression survival network chain; do \
	  OMP_NUM_THREADS=1 $(BIN)/python -m training.evaluation.prediction_$$part || exit; done
	$(BIN)/python -m training.evaluation.prediction_cards

calibrate: $(STAMP) ## Fit what the bundled model knows about its own limits: temperature, familiarity
	$(BIN)/python -m training.calibrate $(ARGS)
	$(BIN)/python -m training.familiarity --again $(ARGS)

evaluate: $(STAMP) ## Write the tables of docs/results
	$(BIN)/python -m training.evaluation.segmentation $(ARGS)
	$(BIN)/python -m training.evaluation.icbm
	$(BIN)/python -m training.evaluation.real
	$(BIN)/python -m training.evaluation.safety
	$(BIN)/python -m training.evaluation.diffusion
	$(BIN)/python -m training.evaluation.diffusion_values
	$(BIN)/python -m training.evaluation.registration
	$(BIN)/python -m training.evaluation.tractseg

card: $(STAMP) ## Write the model card from the tables of docs/results
	$(BIN)/python -m training.evaluation.card

bench: $(STAMP) ## Measure time and memory beside ANTs
	$(BIN)/python -m training.evaluation.bench $(ARGS)

clean: ## Remove the environment and the caches
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache .import_linter_cache .hypothesis
