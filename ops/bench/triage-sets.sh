#!/bin/sh
# Brings the public labelled sets that the ticket classifier is measured on, as CSV with the columns text and label.
#
#   ops/bench/triage-sets.sh FOLDER
#
# CLINC150 (Larson et al., 2019; CC BY 3.0): 150 intents and texts out of scope, labelled __oos__ here.
# BANKING77 (Casanueva et al., 2020; CC BY 4.0) and HWU64 (Liu et al., 2019; CC BY 4.0); of all three, five examples a label.
# Needs curl and jq. SETS_FROM names another place with the same folders, such as file:///srv/sets.
set -eu

folder=${1:?usage: ops/bench/triage-sets.sh FOLDER}
from=${SETS_FROM:-https://raw.githubusercontent.com}
few=jianguoz/Few-Shot-Intent-Detection/main/Datasets
mkdir -p "$folder"
cd "$folder"

get() { curl -fsS "$from/$1"; }

# Texts in one file and their labels in another, line by line.
pairs() {
    get "$1/seq.in" | tr -d '\t' >texts.part
    get "$1/label" >labels.part
    echo text,label
    paste texts.part labels.part | jq -Rr 'split("\t") | @csv'
    rm texts.part labels.part
}

get clinc/oos-eval/master/data/data_full.json >clinc.part
for set in train test; do
    jq -r --arg set "$set" '["text", "label"], .[$set][], (.["oos_" + $set][] | [.[0], "__oos__"]) | @csv' clinc.part >"clinc-$set.csv"
done
# As a set that teaches nothing of what lies outside.
grep -v '"__oos__"$' clinc-train.csv >clinc-train-inside.csv
rm clinc.part

for set in train test; do
    get "PolyAI-LDN/task-specific-datasets/master/banking_data/$set.csv" | sed '1s/.*/text,label/' >"banking-$set.csv"
    pairs "$few/HWU64/$set" >"hwu-$set.csv"
done
for set in CLINC150 BANKING77 HWU64; do
    pairs "$few/$set/train_5" >"five-$(echo $set | tr 'A-Z' 'a-z').csv"
done
wc -l ./*.csv
