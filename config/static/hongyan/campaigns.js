/* The segment builder: groups of conditions that are clicked together and kept as JSON in a hidden text area. */
document.addEventListener("alpine:init", () => {
    let lastId = 0;
    const newId = () => (lastId += 1);

    Alpine.data("segmentBuilder", () => ({
        fields: JSON.parse(document.getElementById("segment-fields").textContent),
        groups: [],

        init() {
            this.groups = this.read(this.$refs.conditions.value);
            this.$watch("groups", () => this.write());
        },

        /* A refused form comes back with what was sent, so everything is looked up before it is believed. */
        read(json) {
            let stored = [];
            try {
                stored = JSON.parse(json);
            } catch {
                stored = [];
            }
            const groups = Array.isArray(stored) ? stored.filter(Array.isArray) : [];
            return groups.map((group) => ({
                id: newId(),
                conditions: group.filter((one) => this.fields.some((field) => field.key === one.field)).map((one) => this.known(one)),
            })).filter((group) => group.conditions.length);
        },
        known(stored) {
            const condition = { id: newId(), field: stored.field, operator: stored.operator, value: stored.value };
            if (!this.operatorOf(condition)) condition.operator = this.fieldOf(condition).operators[0].key;
            if (this.kindOf(condition) === "choices") condition.value = [].concat(stored.value ?? []).map(String);
            else if (Array.isArray(stored.value)) condition.value = stored.value.join(", ");
            else condition.value = stored.value ?? "";
            return condition;
        },
        write() {
            const conditions = this.groups.map((group) => group.conditions.map(({ field, operator, value }) => ({ field, operator, value })));
            this.$refs.conditions.value = JSON.stringify(conditions);
            document.body.dispatchEvent(new CustomEvent("conditions-changed"));
        },

        get headings() {
            return [...new Set(this.fields.map((field) => field.group))];
        },
        fieldsUnder(heading) {
            return this.fields.filter((field) => field.group === heading);
        },
        fieldOf(condition) {
            return this.fields.find((field) => field.key === condition.field);
        },
        operatorOf(condition) {
            return this.fieldOf(condition).operators.find((operator) => operator.key === condition.operator);
        },
        kindOf(condition) {
            return this.operatorOf(condition)?.kind;
        },
        suggestionsOf(condition) {
            return this.fieldOf(condition).suggestions.length ? `suggestions-${condition.field}` : null;
        },
        labelOf(condition, key) {
            return (this.operatorOf(condition).options ?? []).find((option) => option.key === key)?.label ?? key;
        },
        remainingOf(condition) {
            return (this.operatorOf(condition).options ?? []).filter((option) => !condition.value.includes(option.key));
        },

        fresh() {
            const condition = { id: newId(), field: this.fields[0].key, operator: this.fields[0].operators[0].key, value: "" };
            this.empty(condition);
            return condition;
        },
        empty(condition) {
            condition.value = this.kindOf(condition) === "choices" ? [] : "";
        },
        addGroup() {
            this.groups.push({ id: newId(), conditions: [this.fresh()] });
        },
        addCondition(place) {
            this.groups[place].conditions.push(this.fresh());
        },
        removeCondition(place, number) {
            this.groups[place].conditions.splice(number, 1);
            if (!this.groups[place].conditions.length) this.groups.splice(place, 1);
        },
        chooseField(condition) {
            condition.operator = this.fieldOf(condition).operators[0].key;
            condition.kind = this.kindOf(condition);
            this.empty(condition);
        },
        /* From "is one of" to "is none of" the chosen values stay; from a list to a number they cannot. */
        chooseOperator(condition) {
            const isList = this.kindOf(condition) === "choices";
            if (isList !== Array.isArray(condition.value) || this.kindOf(condition) === "nothing") this.empty(condition);
        },
        add(condition, select) {
            if (select.value) condition.value.push(select.value);
            select.value = "";
        },
        drop(condition, key) {
            condition.value = condition.value.filter((other) => other !== key);
        },
    }));
});

/* Questions before an act: while one is open, the page under it does not refresh and take it away. */
document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-opens]");
    const closer = event.target.closest("[data-closes]");
    if (opener) {
        const dialog = document.getElementById(opener.dataset.opens);
        window.hyAsking = true;
        dialog.addEventListener("close", () => { window.hyAsking = false; }, { once: true });
        dialog.showModal();
    }
    if (closer) document.getElementById(closer.dataset.closes).close();
});
/* A page that comes out of the back button's cache must not offer a button that was pressed. */
window.addEventListener("pageshow", (event) => {
    if (event.persisted) window.location.reload();
});
