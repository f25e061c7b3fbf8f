/* SPDX-License-Identifier: Apache-2.0 */
/*
 * image_manifest - which images an archive holds: Docker's manifest.json and the index of
 * an OCI layout.  Newer Dockers write both; where they do not agree, both are believed
 * and the result is incomplete.
 */
#include <stdio.h>
#include <string.h>

#include "image_config.h"
#include "image_impl.h"
#include "json_text.h"

#define DOCUMENTS_MAX 1024u
#define INDEX_DEPTH   4u

static const char *text_of(const json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));

	return s != NULL ? s : "";
}

/* A layer as image_tell() wants it. */
static void add_layer(json_t *layers, const char *member, const char *digest)
{
	json_t *row = json_object();

	json_object_set_new(row, "member", json_string(member));
	json_object_set_new(row, "digest", json_string(digest));
	json_array_append_new(layers, row);
}

void image_tell_layer(struct image *im, uint64_t number, uint64_t position,
                      const struct member *m, const char *diff_id)
{
	char digest[80] = "";
	struct record r = {
		.type = RECORD_LAYER,
		.number = {number, position, m->offset, m->size, im->seekable}
	};

	(void)image_digest_of(m->name, digest);
	r.text[0] = m->name;
	r.text[1] = diff_id;
	r.text[2] = digest;
	work_send(im->w, &r);
}

static void tell_layers(struct image *im, const json_t *layers, const json_t *diff_ids)
{
	size_t i;
	json_t *row;

	if (json_array_size(layers) > SCAN_IMAGE_LAYERS)
		work_skip(im->w, "manifest", "an image has too many layers");
	json_array_foreach(layers, i, row)
	{
		const char *name = text_of(row, "member");
		const char *id = json_string_value(json_array_get(diff_ids, i));
		struct member *m = image_member(im, name);

		if (i == SCAN_IMAGE_LAYERS)
			break;
		if (m == NULL) {
			work_skip(im->w, name, "a layer is not in the archive");
			continue;
		}
		m->used = true;
		image_tell_layer(im, im->images, i, m, id != NULL ? id : "");
	}
	if (json_array_size(diff_ids) != json_array_size(layers))
		work_skip(im->w, "manifest",
		          "it and the configuration disagree on the number of layers");
}

/* Told before: true; and whether its layers were the same ones. */
static bool is_known(struct image *im, const char *config, const json_t *layers)
{
	const json_t *known = json_object_get(im->known, config);

	if (known == NULL) {
		json_object_set(im->known, config, (json_t *)(uintptr_t)layers);
		return false;
	}
	if (json_equal(known, layers))
		return true;
	work_skip(im->w, config, "two manifests give it different layers: ambiguous");
	return false;
}

static void search_config(struct image *im, struct member *m, const json_t *v)
{
	image_config_scan(im->w, "config", v);
	m->used = true;
}

void image_tell(struct image *im, const char *name, const char *platform,
                const char *config, const json_t *layers)
{
	struct member *m = image_member(im, config);
	const char *outer = im->w->source;
	char digest[80], source[512], own[160];
	json_t *v = NULL;
	struct record r = { .type = RECORD_IMAGE, .number = { im->images } };

	if (is_known(im, config, layers))
		return;
	if (im->images == SCAN_IMAGES) {
		work_skip(im->w, config, "too many images in the archive");
		return;
	}
	if (m == NULL)
		work_skip(im->w, config, "a configuration is not in the archive");
	else
		v = image_document(im, m,
		                   image_digest_of(m->name, digest) ? digest : NULL);
	(void)snprintf(own, sizeof(own), "%s%s%s", text_of(v, "os"),
	               *text_of(v, "architecture") != '\0' ? "/" : "",
	               text_of(v, "architecture"));
	if (*platform == '\0')
		platform = own;
	(void)snprintf(source, sizeof(source), "%s%s%s", *name != '\0' ? name : config,
	               *platform != '\0' ? " " : "", platform);
	r.text[0] = source;
	r.text[1] = platform;
	r.text[2] = config;
	work_send(im->w, &r);
	im->w->source = source;
	if (v != NULL)
		search_config(im, m, v);
	im->w->source = outer;
	tell_layers(im, layers,
	            json_object_get(json_object_get(v, "rootfs"), "diff_ids"));
	im->images++;
	json_decref(v);
}

/* manifest.json: a list of {Config, RepoTags, Layers}. */
static void docker_manifest(struct image *im)
{
	struct member *m = image_member(im, "manifest.json");
	json_t *list = m != NULL ? image_document(im, m, NULL) : NULL, *row, *layer;
	size_t i, k;

	json_array_foreach(list, i, row)
	{
		const json_t *names = json_object_get(row, "Layers");
		const char *tag = json_string_value(
			json_array_get(json_object_get(row, "RepoTags"), 0));
		json_t *layers = json_array();

		json_array_foreach(names, k, layer)
		{
			const char *name = json_string_value(layer);
			char digest[80] = "";

			if (name == NULL)
				continue;
			(void)image_digest_of(name, digest);
			add_layer(layers, name, digest);
		}
		image_tell(im, tag != NULL ? tag : "", "", text_of(row, "Config"),
		           layers);
		json_decref(layers);
	}
	if (list != NULL && !json_is_array(list))
		work_skip(im->w, "manifest.json", "it is no list");
	json_decref(list);
}

/* The member that a descriptor means, or NULL, and reported. */
static struct member *described(struct image *im, const json_t *d)
{
	const char *digest = text_of(d, "digest");
	const json_t *size = json_object_get(d, "size");
	char name[120];
	struct member *m;

	if (strncmp(digest, "sha256:", 7) != 0 || strlen(digest) > 80) {
		work_skip(im->w, "index.json", "a descriptor has no SHA-256 digest");
		return NULL;
	}
	(void)snprintf(name, sizeof(name), "blobs/sha256/%s", digest + 7);
	m = image_member(im, name);
	if (json_array_size(json_object_get(d, "urls")) > 0)
		work_skip(im->w, name, "a part of the image is elsewhere");
	if (m != NULL && json_is_integer(size) &&
	    (uint64_t)json_integer_value(size) != m->size)
		work_skip(im->w, name, "it is not as long as its descriptor says");
	return m;
}

static bool is_attestation(const json_t *d)
{
	const char *type = text_of(json_object_get(d, "annotations"),
	                           "vnd.docker.reference.type");

	return strcmp(type, "attestation-manifest") == 0;
}

static void platform_of(const json_t *d, char out[160])
{
	const json_t *p = json_object_get(d, "platform");
	const char *os = text_of(p, "os"), *arch = text_of(p, "architecture"),
		   *variant = text_of(p, "variant");

	(void)snprintf(out, 160, "%.60s%s%.60s%s%.30s", os, *arch != '\0' ? "/" : "",
	               arch, *variant != '\0' ? "/" : "", variant);
}

static void attestation(struct image *im, const json_t *manifest)
{
	size_t i;
	json_t *d;

	json_array_foreach(json_object_get(manifest, "layers"), i, d)
	{
		struct member *m = described(im, d);
		json_t *v = m != NULL ? image_document(im, m, text_of(d, "digest"))
		                      : NULL;

		if (v != NULL)
			image_config_attestation(im->w, "attestation", v);
		json_decref(v);
	}
}

/* A member name for a digest, also for one that is not there. */
static void blob_name(const char *digest, char out[120])
{
	const char *hex = strchr(digest, ':');

	(void)snprintf(out, 120, "blobs/sha256/%.70s", hex != NULL ? hex + 1 : digest);
}

static void manifest_image(struct image *im, const json_t *v, const char *name,
                           const json_t *descriptor)
{
	const json_t *config = json_object_get(v, "config");
	char config_name[120], platform[160];
	json_t *layers = json_array(), *d;
	size_t i;

	json_array_foreach(json_object_get(v, "layers"), i, d)
	{
		char layer[120];

		(void)described(im, d);
		blob_name(text_of(d, "digest"), layer);
		add_layer(layers, layer, text_of(d, "digest"));
	}
	(void)described(im, config);
	blob_name(text_of(config, "digest"), config_name);
	platform_of(descriptor, platform);
	image_tell(im, name, platform, config_name, layers);
	json_decref(layers);
}

/* Exactly one kind, and the one that whoever named it says. */
static void check_kind(struct image *im, const struct member *m, const json_t *v,
                       const json_t *descriptor)
{
	const char *said = text_of(descriptor, "mediaType"),
		   *own = text_of(v, "mediaType");
	bool index = json_object_get(v, "manifests") != NULL;
	bool manifest = json_object_get(v, "layers") != NULL ||
	                json_object_get(v, "config") != NULL;

	if (index && manifest)
		work_skip(im->w, m->name, "it is an index and a manifest: ambiguous");
	if (*said != '\0' && *own != '\0' && strcmp(said, own) != 0)
		work_skip(im->w, m->name, "its media type is not the one it is named by");
}

static void walk(struct image *im, const json_t *index, const char *outer_name);

static void one_descriptor(struct image *im, const json_t *d, const char *outer_name)
{
	const json_t *notes = json_object_get(d, "annotations");
	const char *name = text_of(notes, "io.containerd.image.name");
	struct member *m = described(im, d);
	json_t *v;

	if (*name == '\0')
		name = text_of(notes, "org.opencontainers.image.ref.name");
	if (*name == '\0')
		name = outer_name;
	if (++im->documents > DOCUMENTS_MAX) {
		work_skip(im->w, "index.json", "too many manifests");
		return;
	}
	/* Other platforms' manifests are often left out of what was saved. */
	if (m == NULL)
		return;
	v = image_document(im, m, text_of(d, "digest"));
	if (v == NULL)
		return;
	check_kind(im, m, v, d);
	if (json_object_get(v, "manifests") != NULL)
		walk(im, v, name);
	if (is_attestation(d))
		attestation(im, v);
	else if (json_object_get(v, "layers") != NULL)
		manifest_image(im, v, name, d);
	json_decref(v);
}

static void walk(struct image *im, const json_t *index, const char *outer_name)
{
	size_t i;
	json_t *d;

	if (im->depth == INDEX_DEPTH) {
		work_skip(im->w, "index.json", "too many indexes in each other");
		return;
	}
	im->depth++;
	json_array_foreach(json_object_get(index, "manifests"), i, d)
		one_descriptor(im, d, outer_name);
	im->depth--;
}

static void oci_index(struct image *im)
{
	struct member *m = image_member(im, "index.json");
	json_t *index = m != NULL ? image_document(im, m, NULL) : NULL;

	if (index != NULL) {
		check_kind(im, m, index, NULL);
		walk(im, index, "");
	}
	json_decref(index);
}

void image_manifests(struct image *im)
{
	if (image_member(im, "manifest.json") == NULL &&
	    image_member(im, "index.json") == NULL)
		work_skip(im->w, im->j->name[0], "it has no manifest");
	docker_manifest(im);
	oci_index(im);
}
