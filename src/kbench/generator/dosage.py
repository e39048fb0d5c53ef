"""How much of a world is written: sizes by role, exposures of new facts, and how the background is written."""

from typing import Annotated, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from kbench.generator.relations import Part, Whole

MOST_ENTITIES = 10**9
Dose = Annotated[int, Field(strict=True, ge=0, le=100_000)]
NumberForm = Literal["digits", "words", "rounded", "year", "iso"]
PretrainStyle = Literal["article", "dialogue", "statement", "qa", "numeric", "multihop", "reverse"]


class Sizes(Part):
    """How many entities of each role; every number is rounded up to whole blocks."""

    entities: Whole = Field(1000, ge=1, le=MOST_ENTITIES, description="New subject entities, all types together.")
    control: float = Field(0.25, ge=0, le=4, description="Control entities, as a share of `entities`.")
    background: Whole = Field(0, ge=0, le=MOST_ENTITIES, description="Entities of the known world.")
    known: Whole = Field(0, ge=0, le=MOST_ENTITIES, description="Background entities that may be finetuned on.")


class Exposure(Part):
    """How often a new fact is written and asked, and in what shape."""

    paraphrases: Whole = Field(8, ge=1, le=64, description="Distinct texts that state a fact, in each style.")
    exposures: Whole = Field(8, ge=1, le=100_000, description="Times a fact is stated in training text, in each style.")
    tiers: tuple[Annotated[Dose, Field(ge=1)], ...] = Field(
        (), max_length=64, description="Doses instead of `exposures`: equal shares of the entities get each."
    )
    popularity: Literal["flat", "zipf"] = Field(
        "flat", description="zipf: an entity's facts are stated as often as it is popular, up to `exposures`."
    )
    budget: Literal["facts", "tokens"] = Field(
        "facts",
        description="What styles have in common: the exposures of a fact, or the words of training text a fact.",
    )
    validation: Whole = Field(1, ge=0, le=64, description="Held-out phrasings a fact is asked in, for validation.")
    test: Whole = Field(2, ge=1, le=64, description="Held-out phrasings a fact is asked in, for test and control.")
    facts_per_article: Whole = Field(0, ge=0, le=64, description="Facts in one article; 0: all of its entity.")
    facts_per_dialogue: Whole = Field(5, ge=0, le=64, description="Facts in one dialogue; 0: all of its entity.")
    order: Literal["shuffled", "fixed"] = Field("shuffled", description="The order of the sentences of an article.")
    reversals: Whole = Field(0, ge=0, le=64, description="Phrasings more, value first, for each statement of a name.")
    implications: Whole = Field(0, ge=0, le=64, description="Statements of what follows from two facts, a chain.")
    number_forms: tuple[NumberForm, ...] = Field(
        ("digits", "words", "rounded", "year", "iso"),
        min_length=1,
        description="How the numeric style asks for numbers and dates: in which forms of the answer.",
    )
    forms: Whole = Field(1, ge=1, le=2, description="Surface forms of values; a document keeps to one.")


class Background(Part):
    """How the known world is written in the pretrain split."""

    questions: float = Field(0.5, ge=0, le=1, description="Share of background blocks whose questions are pretrained.")
    exposures: Whole = Field(16, ge=1, le=100_000, description="Most times a background fact is stated.")
    popularity: Literal["zipf", "flat"] = "zipf"
    tiers: tuple[Dose, ...] = Field(
        (),
        max_length=64,
        description="Doses of `known` entities' facts, of `tiered` relations; 0: never stated.",
    )
    styles: tuple[PretrainStyle, ...] = ("article", "statement", "qa", "numeric", "multihop")
    personas: Whole = Field(
        0, ge=0, le=1024, description="Other assistants of the known world: one in each of so many background blocks."
    )
    taught: bool = Field(
        False,
        description="Of `known` entities, train and test hold just the facts that tier 0 leaves out of pretrain, in "
        "every style, documents too.",
    )

    @model_serializer(mode="wrap")
    def _without_later_keys(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Plain values; keys that came later stand there only where they are set, so that older recipes stay as is."""
        values: dict[str, Any] = plain(self)
        for key in ("personas", "taught"):
            if not values.get(key):
                values.pop(key, None)
        return values
