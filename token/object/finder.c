#include "token/object/finder.h"

#include <stdlib.h>
#include <string.h>

#include "token/object/finder_tags.h"

/* Slots: first small, then soon large, then no larger than needed. */
#define FIRST_ROOM 64
#define LARGE_ROOM 32768
#define IS_BUCKET 0x80000000u

/* Tags are spread over the slots in their order, and lie as near as possible behind
 * that place. ref: 0 none, the number of an object, or IS_BUCKET and one of a bucket. */
struct slot {
    uint32_t tag;
    uint32_t ref;
};

/* The objects that share a tag, if there are several. */
struct bucket {
    uint32_t count;
    uint32_t room; /* of a free one: the next free one */
    uint32_t *numbers;
};

struct place {
    struct object *object;
    uint32_t next_free;
};

struct finder {
    struct slot *slots;
    size_t slot_room, slot_count;
    struct bucket *buckets;
    uint32_t bucket_room, free_bucket; /* rooms begin with 1: */
    struct place *places;
    uint32_t place_room, free_place; /* number 0 is none */
};

static size_t home_of(const struct finder *finder, uint32_t tag)
{
    return (size_t)((uint64_t)tag * finder->slot_room >> 32);
}

static size_t behind(const struct finder *finder, size_t slot)
{
    return slot + 1 == finder->slot_room ? 0 : slot + 1;
}

/* The tag's slot, or the empty one where it belongs. */
static struct slot *find_slot(const struct finder *finder, uint32_t tag)
{
    size_t i = home_of(finder, tag);
    while (finder->slots[i].ref && finder->slots[i].tag != tag)
        i = behind(finder, i);
    return &finder->slots[i];
}

static CK_RV grow_slots(struct finder *finder)
{
    struct finder grown = *finder;
    if (finder->slot_count + 1 <= finder->slot_room - finder->slot_room / 5)
        return CKR_OK;
    grown.slot_room = finder->slot_room < LARGE_ROOM ? 4 * finder->slot_room
                                                     : finder->slot_room + finder->slot_room / 2;
    grown.slots = calloc(grown.slot_room, sizeof(*grown.slots));
    if (!grown.slots)
        return CKR_HOST_MEMORY;
    for (size_t i = 0; i < finder->slot_room; i++)
        if (finder->slots[i].ref)
            *find_slot(&grown, finder->slots[i].tag) = finder->slots[i];
    free(finder->slots);
    *finder = grown;
    return CKR_OK;
}

/* Closes the gap: moves up what would not be found behind it any more. */
static void empty_slot(struct finder *finder, struct slot *slot)
{
    size_t gap = (size_t)(slot - finder->slots);
    for (size_t i = behind(finder, gap); finder->slots[i].ref; i = behind(finder, i)) {
        size_t home = home_of(finder, finder->slots[i].tag);
        bool reaches = gap <= i ? home <= gap || home > i : home <= gap && home > i;
        if (!reaches)
            continue;
        finder->slots[gap] = finder->slots[i];
        gap = i;
    }
    finder->slots[gap] = (struct slot){0};
    finder->slot_count--;
}

static uint32_t more_than(uint32_t room)
{
    return room < FIRST_ROOM ? FIRST_ROOM : room + room / 2;
}

static CK_RV new_bucket(struct finder *finder, uint32_t *ret_bucket)
{
    if (!finder->free_bucket) {
        uint32_t room = more_than(finder->bucket_room);
        struct bucket *buckets = realloc(finder->buckets, room * sizeof(*buckets));
        if (!buckets)
            return CKR_HOST_MEMORY;
        finder->buckets = buckets;
        for (uint32_t i = room - 1; i >= finder->bucket_room; i--) {
            buckets[i] = (struct bucket){.room = finder->free_bucket};
            finder->free_bucket = i;
        }
        finder->bucket_room = room;
    }
    *ret_bucket = finder->free_bucket;
    struct bucket *bucket = &finder->buckets[*ret_bucket];
    finder->free_bucket = bucket->room;
    *bucket = (struct bucket){0};
    return CKR_OK;
}

static void drop_bucket(struct finder *finder, uint32_t number)
{
    free(finder->buckets[number].numbers);
    finder->buckets[number] = (struct bucket){.room = finder->free_bucket};
    finder->free_bucket = number;
}

/* An object whose values have one tag by chance is there already. */
static CK_RV put(struct bucket *bucket, uint32_t number)
{
    if (bucket->count && bucket->numbers[bucket->count - 1] == number)
        return CKR_OK;
    if (bucket->count == bucket->room) {
        uint32_t room = bucket->room ? bucket->room + bucket->room / 2 : 2;
        uint32_t *numbers = realloc(bucket->numbers, room * sizeof(*numbers));
        if (!numbers)
            return CKR_HOST_MEMORY;
        bucket->numbers = numbers;
        bucket->room = room;
    }
    bucket->numbers[bucket->count++] = number;
    return CKR_OK;
}

static CK_RV share(struct finder *finder, struct slot *slot, uint32_t number)
{
    uint32_t added = 0;
    if (slot->ref == number)
        return CKR_OK;
    if (slot->ref & IS_BUCKET)
        return put(&finder->buckets[slot->ref & ~IS_BUCKET], number);
    CK_RV rv = new_bucket(finder, &added);
    if (rv != CKR_OK)
        return rv;
    rv = put(&finder->buckets[added], slot->ref);
    if (rv == CKR_OK)
        rv = put(&finder->buckets[added], number);
    if (rv != CKR_OK) {
        drop_bucket(finder, added);
        return rv;
    }
    slot->ref = added | IS_BUCKET;
    return CKR_OK;
}

static CK_RV add_tag(struct finder *finder, uint32_t tag, uint32_t number)
{
    CK_RV rv = grow_slots(finder);
    if (rv != CKR_OK)
        return rv;
    struct slot *slot = find_slot(finder, tag);
    if (slot->ref)
        return share(finder, slot, number);
    *slot = (struct slot){tag, number};
    finder->slot_count++;
    return CKR_OK;
}

static void remove_from_bucket(struct finder *finder, struct slot *slot, uint32_t number)
{
    struct bucket *bucket = &finder->buckets[slot->ref & ~IS_BUCKET];
    for (uint32_t i = 0; i < bucket->count; i++) {
        if (bucket->numbers[i] != number)
            continue;
        bucket->count--;
        memmove(&bucket->numbers[i], &bucket->numbers[i + 1],
                (bucket->count - i) * sizeof(*bucket->numbers));
        break;
    }
    if (bucket->count > 1)
        return;
    uint32_t last = bucket->numbers[0];
    drop_bucket(finder, slot->ref & ~IS_BUCKET);
    slot->ref = last;
}

static void remove_tag(struct finder *finder, uint32_t tag, uint32_t number)
{
    struct slot *slot = find_slot(finder, tag);
    if (slot->ref & IS_BUCKET)
        remove_from_bucket(finder, slot, number);
    else if (slot->ref == number)
        empty_slot(finder, slot);
}

static CK_RV new_place(struct finder *finder, struct object *object)
{
    if (!finder->free_place) {
        uint32_t room = more_than(finder->place_room);
        struct place *places = realloc(finder->places, room * sizeof(*places));
        if (!places)
            return CKR_HOST_MEMORY;
        finder->places = places;
        for (uint32_t i = room - 1; i >= finder->place_room; i--) {
            places[i] = (struct place){.next_free = finder->free_place};
            finder->free_place = i;
        }
        finder->place_room = room;
    }
    object->place = finder->free_place;
    finder->free_place = finder->places[object->place].next_free;
    finder->places[object->place] = (struct place){.object = object};
    return CKR_OK;
}

static void remove_tags(struct finder *finder, struct object *object, const uint32_t *tags,
                        size_t count)
{
    for (size_t i = 0; i < count; i++)
        remove_tag(finder, tags[i], object->place);
    finder->places[object->place] = (struct place){.next_free = finder->free_place};
    finder->free_place = object->place;
    object->place = 0;
}

CK_RV finder_add(struct finder *finder, struct object *object)
{
    uint32_t tags[FINDER_MAX_TAGS];
    CK_RV rv = new_place(finder, object);
    if (rv != CKR_OK)
        return rv;
    size_t count = finder_tags(object, tags);
    for (size_t i = 0; i < count; i++) {
        rv = add_tag(finder, tags[i], object->place);
        if (rv == CKR_OK)
            continue;
        remove_tags(finder, object, tags, i);
        return rv;
    }
    return CKR_OK;
}

void finder_remove(struct finder *finder, struct object *object)
{
    uint32_t tags[FINDER_MAX_TAGS];
    if (object->place)
        remove_tags(finder, object, tags, finder_tags(object, tags));
}

CK_RV finder_new(struct finder **ret_finder)
{
    struct finder *finder = calloc(1, sizeof(*finder));
    if (!finder)
        return CKR_HOST_MEMORY;
    finder->slots = calloc(FIRST_ROOM, sizeof(*finder->slots));
    if (!finder->slots) {
        finder_free(finder);
        return CKR_HOST_MEMORY;
    }
    finder->slot_room = FIRST_ROOM;
    finder->bucket_room = finder->place_room = 1;
    *ret_finder = finder;
    return CKR_OK;
}

void finder_free(struct finder *finder)
{
    if (!finder)
        return;
    for (uint32_t i = 1; i < finder->bucket_room; i++)
        free(finder->buckets[i].numbers);
    free(finder->buckets);
    free(finder->slots);
    free(finder->places);
    free(finder);
}

static CK_OBJECT_CLASS class_of(const CK_ATTRIBUTE *template, CK_ULONG count)
{
    CK_OBJECT_CLASS class = CK_UNAVAILABLE_INFORMATION;
    for (CK_ULONG i = 0; i < count; i++)
        if (template[i].type == CKA_CLASS && template[i].pValue &&
            template[i].ulValueLen == sizeof(class))
            memcpy(&class, template[i].pValue, sizeof(class));
    return class;
}

static struct finder_hits hits_of(const struct finder *finder, uint32_t tag)
{
    uint32_t ref = find_slot(finder, tag)->ref;
    struct finder_hits hits = {.indexed = true};
    if (ref & IS_BUCKET) {
        hits.count = finder->buckets[ref & ~IS_BUCKET].count;
        hits.numbers = finder->buckets[ref & ~IS_BUCKET].numbers;
    } else if (ref) {
        hits.count = 1;
        hits.single = ref;
    }
    return hits;
}

void finder_find(const struct finder *finder, const CK_ATTRIBUTE *template, CK_ULONG count,
                 struct finder_hits *ret_hits)
{
    CK_OBJECT_CLASS class = class_of(template, count);
    struct finder_hits best = {0};
    for (CK_ULONG i = 0; i < count && !(best.indexed && best.count == 0); i++) {
        if (!finder_can_look_up(&template[i], class))
            continue;
        struct view value = view_of(template[i].pValue, template[i].ulValueLen);
        struct finder_hits hits = hits_of(finder, finder_tag(template[i].type, value));
        if (!best.indexed || hits.count < best.count)
            best = hits;
    }
    *ret_hits = best;
}

struct object *finder_hit(const struct finder *finder, const struct finder_hits *hits, size_t index)
{
    uint32_t number = hits->numbers ? hits->numbers[index] : hits->single;
    return finder->places[number].object;
}

size_t finder_memory(const struct finder *finder)
{
    size_t size = sizeof(*finder) + finder->slot_room * sizeof(*finder->slots) +
                  finder->bucket_room * sizeof(*finder->buckets) +
                  finder->place_room * sizeof(*finder->places);
    for (uint32_t i = 1; i < finder->bucket_room; i++)
        if (finder->buckets[i].numbers)
            size += finder->buckets[i].room * sizeof(*finder->buckets[i].numbers);
    return size;
}
