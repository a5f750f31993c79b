"""The English words that grounding knows: what they name, what they guess, and what says nothing of its own."""

from collections.abc import Iterator
from typing import Final

from blikk_edge.core.sightings import Label


def word_set(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


# -- what a detector can see -------------------------------------------------------------------------------------------

GENERIC: Final[dict[str, Label]] = (
    dict.fromkeys(
        word_set(
            """
    person people persons someone somebody anyone anybody everyone everybody individual visitor human figure
    pedestrian passerby passersby caller nobody crowd newcomer
    """
        ),
        Label.PERSON,
    )
    | dict.fromkeys(word_set("vehicle traffic"), Label.VEHICLE)
    | dict.fromkeys(word_set("animal creature wildlife"), Label.ANIMAL)
    | dict.fromkeys(word_set("package parcel box carton delivery deliver"), Label.PACKAGE)
)
"""Nouns that name a label."""

ALIASES: Final = {
    "automobile": "car",
    "auto": "car",
    "lorry": "truck",
    "minivan": "van",
    "coach": "bus",
    "bike": "bicycle",
    "cycle": "bicycle",
    "motorbike": "motorcycle",
    "boar": "wild boar",
    "rucksack": "backpack",
    "purse": "handbag",
    "luggage": "suitcase",
}
"""Other words for a detector's classes."""

SPECIFIC: Final[dict[str, Label]] = {
    **dict.fromkeys(
        word_set(
            """
    car automobile auto truck lorry van minivan bus coach bicycle bike cycle motorcycle motorbike moped scooter
    tractor train boat pickup suv sedan taxi cab trailer ambulance jeep hatchback limousine caravan camper
    forklift tram plane airplane helicopter drone skateboard quad
    """
        ),
        Label.VEHICLE,
    ),
    **dict.fromkeys(
        word_set(
            """
    dog cat bird horse sheep cow elephant bear zebra giraffe deer fox raccoon rabbit squirrel goat pig boar
    chicken wolf coyote rat mouse snake hedgehog owl duck crow pigeon badger opossum possum skunk lion hen goose
    hare insect spider moth marten
    """
        ),
        Label.ANIMAL,
    ),
    **dict.fromkeys(word_set("backpack rucksack handbag purse suitcase luggage bag mail"), Label.PACKAGE),
}
"""Nouns that name a class of a detector, whether or not ours knows it: only that class supports the word."""

BAGS: Final = frozenset({"bag", "backpack", "handbag", "suitcase"})

ROLES: Final[dict[str, tuple[Label, ...]]] = {
    "cyclist": (Label.PERSON, Label.VEHICLE),
    "biker": (Label.PERSON, Label.VEHICLE),
    "motorcyclist": (Label.PERSON, Label.VEHICLE),
    "driver": (Label.PERSON, Label.VEHICLE),
    "rider": (Label.PERSON, Label.VEHICLE),
}
"""Nouns that name two labels at once."""

AGENTS: Final[dict[str, tuple[Label, ...]]] = {
    **dict.fromkeys(word_set("walk walked walks walking stroll step run ran foot"), (Label.PERSON, Label.ANIMAL)),
    **dict.fromkeys(word_set("drive drove driven park parked reverse"), (Label.VEHICLE,)),
}
"""Verbs that only some can do: one of these labels must have been seen."""

PLURALS: Final = {
    "people": "person",
    "mice": "mouse",
    "geese": "goose",
    "wolves": "wolf",
    "crowd": "crowd",
    "passersby": "passerby",
}
"""Irregular plurals of the nouns above; each means at least two."""

SAME_IN_PLURAL: Final = word_set("sheep deer traffic wildlife luggage mail everyone everybody")

# -- guesses: never supported by anything ------------------------------------------------------------------------------

GENDER: Final = word_set(
    """
    man men woman women boy boys girl girls male female guy lady ladies gentleman gentlemen dude bloke chap he she
    him her his hers himself herself mr mrs ms sir madam
    """
)
AGE: Final = word_set(
    """
    child children kid toddler baby infant teen teenager teenage adolescent youth youngster elderly elder old
    older young younger adult senior pensioner minor juvenile aged puppy kitten calf foal
    """
)
ETHNICITY: Final = word_set(
    """
    asian african caucasian hispanic latino latina arab arabic indian chinese japanese mexican european american
    turkish russian polish muslim jewish christian hindu sikh skin skinned ethnic ethnicity race racial immigrant
    foreign foreigner nationality gypsy accent
    """
)
IDENTITY: Final = word_set(
    """
    neighbor neighbour owner homeowner resident tenant landlord mailman postman postwoman postal postie courier
    deliveryman carrier messenger ups fedex dhl amazon usps hermes gls dpd police policeman policewoman officer
    cop firefighter paramedic soldier guard plumber electrician cleaner gardener worker workman contractor
    technician janitor salesman salesperson saleswoman seller customer shopper client guest friend colleague
    family families husband wife mother father mom mum dad parent son daughter brother sister grandmother
    grandfather grandma grandpa uncle aunt cousin boyfriend girlfriend spouse partner relative roommate housemate
    boss employee staff teacher student pupil nurse doctor nanny babysitter stranger acquaintance regular familiar
    known recognized recognised identified named uber lyft santa pastor priest jogger hiker tourist beggar
    homeless dealer criminal celebrity passenger commuter pet
    """
)
INTENT: Final = word_set(
    """
    suspicious suspiciously suspect intruder intrude intrusion burglar burglary robber robbery thief thieves theft
    steal stole stolen vandal vandalism vandalize trespass trespasser trespassing prowl prowler sneak sneaky lurk
    lurker snoop casing scout stalk stalker spy spying hide hid hidden hiding breaking burgle rob attack attacker
    assault threat threaten threatening menacing aggressive aggressively hostile dangerous danger angry angrily
    nervous nervously anxious agitated furtive stealthy stealthily intent intend intention intended try trying
    tried attempt want wanted hope hoping plan planned planning aim purpose deliberate deliberately malicious
    harmless innocent friendly happy sad upset drunk confused lost unusual unusually abnormal normal normally
    typical routine usual usually unexpected expected expecting strange odd weird concerning alarming worrying
    worrisome unauthorized unauthorised legitimate harmful criminal search searching looking inspect inspecting
    watch watching sinister shady dubious interested curious hurry hurried hurriedly rushed
    """
)
GUESS: Final = word_set(
    """
    probably possibly perhaps maybe likely unlikely presumably apparently seemingly seem seems seemed suggest
    suggesting indicate indicating imply implying might could suppose supposedly assume assuming assumed guess
    potential potentially evidently obviously because
    """
)
WEAPON: Final = word_set(
    """
    gun handgun knife knives pistol rifle shotgun revolver firearm weapon armed axe machete sword dagger crowbar
    blade bomb explosive grenade baton bat club taser
    """
)
PICTURED: Final = word_set(
    """
    red blue green yellow black white grey gray brown orange pink purple violet beige silver gold golden dark
    light bright colored coloured color colour striped plaid jacket coat shirt tshirt sweater hoodie hooded hood
    trousers pants jeans shorts skirt dress dressed suit uniform vest boots shoes sneakers sandals hat cap helmet
    beanie scarf glove gloves glasses sunglasses mask masked umbrella hair haired beard bearded moustache bald
    blond blonde ponytail tall slim thin fat heavyset stocky muscular wear wears wearing wore worn clothes
    clothing clothed outfit tattoo ladder clipboard phone tool bend bent crouch kneel lean lift raise handed touch
    smile smoke open opened closed shut locked unlocked bottle basket stroller pram leash bucket broom envelope
    letter flower flowers sunny rainy snowy raining snowing foggy cloudy wet shadow
    """
)
"""What only a picture can show."""

NAMES: Final = word_set(
    """
    john james robert michael david william richard thomas mark peter paul george steven kevin brian daniel anna
    mary maria emma sarah laura lisa susan linda karen julia sophie alice bob tom tim ben max alex sam chris mike
    joe jack jane kate lucy olivia noah liam lukas hans ali mohammed fatima jose carlos pedro
    """
)
"""First names, for where small letters hide them; others are found by their capital."""

# -- places ------------------------------------------------------------------------------------------------------------

PLACES: Final = word_set(
    """
    garage kitchen bedroom bathroom hallway hall corridor basement cellar attic balcony terrace patio deck pool
    garden yard backyard frontyard lawn porch veranda driveway gate gateway door doorway doorstep doormat entrance
    entry entryway threshold street road roadside pavement sidewalk footpath path pathway walkway alley carport
    shed barn stable playground counter till office lobby warehouse dock field forest beach kerb curb kerbside
    curbside shop store stair stairs staircase steps mailbox letterbox roof drive park lounge nursery pantry
    laundry courtyard elevator lift stoop crossing intersection station church school hospital market restaurant
    cafe bar hotel
    """
)
SCENERY: Final = word_set(
    """
    tree bush hedge fence wall window table chair bench couch sofa bed floor ground grass railing pole lamp bin
    sign flowerbed pot plant corner shelf mat pillar
    """
)
"""Places that no zone is needed for where a picture was shown."""

TOUCHY: Final = word_set("steps drive park store deck field till counter lift bar stoop market path dock")
"""Words that are a place only behind an article."""

ALIKE: Final = tuple(
    word_set(group)
    for group in (
        "door doorway doorstep doormat entrance entry entryway threshold stoop",
        "driveway drive",
        "yard backyard",
        "street road roadside",
        "kerb curb kerbside curbside",
        "pavement sidewalk footpath",
        "path pathway walkway",
        "porch veranda",
        "hall hallway corridor",
        "gate gateway",
        "steps stair stairs staircase",
        "terrace patio deck",
        "shop store",
    )
)

SIDES: Final = word_set("front back rear side")

# -- words that claim nothing of their own -----------------------------------------------------------------------------

_PLAIN_WORDS: Final = """
a about above access accompany accordingly account accumulate acknowledge across active activity actual add addition
additional adjacent adjoining after afterhours afternoon afterward again against ahead alert aligned all almost alone
along already also altered alternate although altogether always am amble amid amidst among amount an annotate announce
another any anyhow anymore anything anyway anywhere apart apiece appear appearance approach approximate are area
around arrival arrive as aside aspect assigned at attend audible available average await away back background backward
barely based basically basis be became become been before beforehand began begin begun behind below beside best
between beyond bigger both bound brief briefest bring brisk broad brought bulk bunch burst busier busiest busily busy
but button by calm calmer came camera can capture carry case catch category caught cease center central centre certain
change check chronological circle circumstance class classify clear clearance clip close closer cluster coincide
collect combine come comment common compact comparable compare complete component compose comprise concentrate
conclude conclusion concurrent condition confidence confirm consecutive consequently considerable consideration
consist consistent constant contact contain contents context continue continuous contrast convey correct corresponding
count couple coverage covered cross crowded cruise cumulative current daily data date dawn day daybreak daytime deal
decrease define demonstrate denote dense depart departure depict deposit describe description deserted detail detect
detection detector determine device did different digest dip direct direction disappear dispatch display distance
distinct distribution divide do documented dominate done double down dozen drift drop due duo duration during dusk
dwell dwelt each earlier early edge effect eighth either elapse element else elsewhere emerge emptier empty encompass
encounter end engage enough ensuing entail enter entire entirety episode equal essentially estimate even event
eventful eventless eventual ever every everything evidence exact examine example exceed except excluding exclusively
exist exit expand explain express extend extent extra facing fact fade fall far feature feed fell few fewer fifth fill
final find finish first fixed flag flow flurry follow foot footage footfall for foreground form former forth forward
found four fourth fraction frame free frequency frequent from front frontmost full fully further gap gather general
generate gentle get give given glide glimpse go gone got gotten gradually grew group grow had half halfway halt
handful happen hardly has have head hectic held hello hence here hereby hi high highest highlight hitherto hold home
hop hour house hover how however hung identical identification idle if image immediate immobile in inactive inactivity
inbound incidence incident include increase increment indeed independent indicator indirectly inform information
initial inner inside insignificant instance instead interim intermittent interrupted interval into introduce involve
involvement is isn't isolated it item itself join jointly journal just keep kept key label lack laid lapse largely
last late later latest latter lay layover lead least leave led left leisurely length lengthen less level lie likewise
limit line linger list little lively local locate location log loiter lone long longer longest look loop lot low
lowest lull lunchtime lying made main maintain major make manner many mark maximum me mean meander meanwhile mention
mere message meter method metre mid midafternoon midday middle midmorning midnight midway mild mill minimal minimum
minus minute mix mode moderate modest moment momentarily momentary monitor more moreover morning most motion
motionless move movement multiple multitude my namely names narrow near nearby nearest necessarily need neither never
nevertheless new next night nighttime no node none nonetheless noon nor not notable notably note noteworthy nothing
notice notification now nowhere number o'clock object observation observe obtain occasion occasional occupancy occupy
occur occurrence of off on once one ongoing onto onward opposite option or order original other otherwise our out
outbound outer outline outset outside over overall overlap overnight overview owing own pace pair paragraph part
partial participant particular pass passage passer past pattern pause peak pending per percent perched perform
perimeter period periodic periodically permanent persist pertain phase photo pick picture piece place plain plenty
plural plus pm point pop portion position possible precede precisely predominant premises presence present press
previous primarily primary principal prior proceed process produce progress prompt proof property propped provide
proximity pull put quantity quarter quick quiet quieter quietest quite range rarely rate rather reach reading reappear
reason recap receive recent record recurrence recurring reduce refer reflect regarding regardless regards register
relate relation relatively relevance relevant rely remain remainder remark remarkable remove repeat repeatedly report
respective rest result resume retain retreat retrieve return reveal ridden ride right rise risen roam rode roll rose
roughly round roundup route row run said same sat saunter saw say scale scan scattered scene score screen seated
second secondary section see seen segment select sensor separate separation sequence series session set settle seventh
several share shift short shortest shot show shown shrank side sight signal signify silent similar simply simultaneous
since single sit situated situation sixth size sizeable skip slight slot slow small smooth snapshot so sole solo some
something sometime soon sort space span sparse specifically specify speed spell spend spent split sporadic
sporadically spot spotty spread stage stand start state statement static stationary stationed status stay steady step
still stint stood stop stopover stretch strictly stroll sub subject subsequent subsided subsidiary substantial
successive such sudden sufficient sum summarise summarize summary surface surround sustained swift swing system take
takeaway taken tally tell term text than that the their them then there thereafter thereby therefore these they third
this thorough those though three through throughout thus time timeframe timeline timeslot timespan timestamp title to
today together told tonight too took topmost total toward trace track trail transient transit transpire travel
traverse trickle trigger trio trip triple trot tucked turn turnout twelfth twice two type unaccompanied unaltered
unattended unbroken unchanged unclear under underneath underway undetected undisturbed uneventful unidentified
uninterrupted unique unit unknown unmoving unoccupied unseen unsupported until untouched up update upon us usage use
utc utilise vacant vanish variable various vary venture verify very via vicinity video view visible visit visual
volume wait walk walkthrough wander was way we week well went were what whatever when whenever where whereas wherein
wherever whether which whichever while who whole whose wide will with within without word worth yet yield you your
zero zone
"""

PLAIN: Final = word_set(_PLAIN_WORDS)
"""Function words, and the verbs and nouns of watching, moving, staying and counting."""

WATCHED: Final = word_set("rang ring rings ringing rung bell doorbell chime buzzer buzz")
"""What only a Ring supports."""


def bases(word: str) -> Iterator[str]:
    """What a word may be a form of, itself first: `stopped` gives `stopped`, `stopp`, `stop`, ..."""
    yield word
    word = word.removesuffix("'s").removesuffix("'")
    yield word
    for ending, instead in (("ies", "y"), ("ied", "y"), ("es", ""), ("s", ""), ("ly", "")):
        if word.endswith(ending) and len(word) - len(ending) >= 2:
            yield word.removesuffix(ending) + instead
    for ending in ("ed", "ings", "ing", "d"):
        if word.endswith(ending) and len(word) - len(ending) >= 2:
            stem = word.removesuffix(ending)
            yield stem
            yield stem + "e"
            if len(stem) > 2 and stem[-1] == stem[-2]:
                yield stem[:-1]
