"""What other modules are known to do otherwise, and why that is: reported as
expected, not as our failure. The sentences are those of the programs of api/."""

import os

SOFTHSM = {
    "abuse": {
        "a bad argument is answered by another code": (
            "object_functions_refuse_a_session_that_is_not_there",
            "keys_are_not_made_or_wrapped_out_of_nothing",
        ),
    },
    "derive": {
        "ECDH asks for a length that fits": (
            "without_a_length_the_whole_secret_is_taken",
            "more_than_the_secret_has_cannot_be_asked_for",
        ),
    },
    "digest": {
        "the order of digest calls, or the class of the key, is not checked": (
            "digests_begin_and_end_in_order",
            "a_private_key_is_indigestible",
        ),
    },
    "encrypt_rules": {
        "bad input is CKR_GENERAL_ERROR, or is not checked": (
            "a_message_that_is_too_long_is_out_of_range",
            "a_changed_ciphertext_is_invalid",
            "a_wrong_pkcs1_padding_gives_nothing_of_the_plain_text",
            "ciphertexts_of_another_size_are_out_of_range",
            "a_ciphertext_beyond_the_modulus_is_invalid",
            "bad_parameters_of_oaep_are_invalid",
            "keys_and_order_are_checked",
        ),
    },
    "exit": {
        "it crashes after its own destructors": (
            "finalising_in_an_exit_handler_does_no_harm",
            "closing_sessions_in_an_exit_handler_does_no_harm",
            "finalising_after_every_destructor_does_no_harm",
            "closing_sessions_after_every_destructor_does_no_harm",
        ),
    },
    "login": {
        "C_Logout does nothing without a login": (
            "a_logout_without_login_says_so",
        ),
    },
    "object": {
        "C_CopyObject refuses an empty template": (
            "an_empty_copy_of_a_session_object_is_its_equal",
            "copying_the_private_key_does_no_harm",
        ),
    },
    "pss": {
        "the length is CKR_DATA_INVALID or so": (
            "data_of_another_length_than_the_hash_is_out_of_range",
        ),
    },
    "sign_data": {
        "the length is not checked": (
            "too_much_data_is_out_of_range",
        ),
    },
    "sign_rules": {
        "bad keys are answered by other codes": (
            "handles_that_are_no_key_are_invalid",
            "a_key_of_the_wrong_type_is_refused",
            "without_login_nothing_is_signed",
        ),
    },
    "token_attribute": {
        "a private key is not sensitive unless asked for": (
            "a_private_key_is_secret_where_nothing_is_said",
        ),
        "it has no CKA_UNIQUE_ID and no CKA_PUBLIC_KEY_INFO": (
            "every_object_has_a_unique_id_that_stays",
            "both_halves_of_a_pair_tell_the_same_public_key",
        ),
    },
    "token_cipher": {
        "a wrong padding or tag is CKR_GENERAL_ERROR": (
            "a_changed_gcm_text_or_tag_gives_nothing", "texts_of_odd_length_are_out_of_range",
        ),
        "parameters of ECB and GCM are not looked at": (
            "bad_parameters_are_refused",
        ),
    },
    "token_crowd": {
        "threads and processes on one token meet CKR_GENERAL_ERROR, and lose objects": (
            "threads_share_a_token", "processes_share_a_token",
        ),
    },
    "token_derive": {
        "it has no key derivation functions": (
            "key_derivation_functions_are_openssls",
        ),
        "bad points are other errors": (
            "bad_points_and_parameters_are_refused",
        ),
    },
    "token_disk": {
        "it does not notice a full disk, and a read-only one at the last moment": (
            "a_full_disk_takes_no_more_and_loses_nothing",
            "a_change_that_does_not_fit_is_not_made", "what_is_destroyed_makes_room",
            "a_key_pair_that_does_not_fit_leaves_nothing",
            "the_pin_stays_when_a_new_one_does_not_fit",
            "a_read_only_disk_is_a_write_protected_token",
        ),
    },
    "token_dual": {
        "a session runs one operation at a time": (
            "a_text_is_digested_and_encrypted_at_once", "a_text_is_signed_and_encrypted_at_once",
        ),
        "C_DigestKey takes what no digest has": (
            "secret_keys_are_digested_and_others_are_not",
        ),
    },
    "token_generate": {
        "an unknown curve, and a size out of range, are CKR_GENERAL_ERROR": (
            "curves_are_also_known_by_name", "curves_that_nobody_has_are_refused",
            "sizes_that_nobody_has_are_refused",
        ),
        "a class that contradicts the mechanism is CKR_ATTRIBUTE_VALUE_INVALID": (
            "templates_may_repeat_but_not_contradict_the_mechanism",
        ),
        "parameters of the mechanism are not looked at": (
            "other_mechanisms_generate_nothing",
        ),
        "what was half made when a template was refused is left on the token": (
            "a_refused_pair_leaves_nothing",
        ),
    },
    "token_init": {
        "the length of a new SO PIN is not checked": (
            "an_so_pin_of_256_bytes_is_too_long",
        ),
    },
    "token_kill": {
        "each half of a pair is written by itself, in several steps": (
            "whoever_is_killed_leaves_the_old_or_the_new",
        ),
    },
    "token_object": {
        "an object that cannot be modified cannot be copied": (
            "objects_may_be_made_unmodifiable",
        ),
    },
    "token_persist": {
        "it does not notice that it is in a forked child": (
            "changes_of_another_process_are_seen_at_once",
            "session_objects_are_this_processs_own",
        ),
    },
    "token_pin": {
        "it does not notice that it is in a forked child": (
            "a_pin_is_changed_under_the_eyes_of_a_session",
        ),
    },
    "token_search": {
        "a search compares sensitive values": (
            "sensitive_values_cannot_be_searched_for",
        ),
    },
    "token_state": {
        "a running operation survives the logout": (
            "a_logout_ends_the_use_of_a_private_key",
        ),
        "a new token's slot has another number in the next process": (
            "the_first_call_of_a_process_meets_the_login",
        ),
    },
    "token_template": {
        "what was half made when a template was refused is left on the token": (
            "a_refused_template_leaves_nothing",
        ),
        "keys and certificates are not looked at when they are created": (
            "key_material_must_make_a_key",
        ),
        "attributes of other classes are CKR_ATTRIBUTE_TYPE_INVALID": (
            "attributes_of_other_classes_are_inconsistent",
            "changes_to_other_kinds_are_inconsistent",
        ),
        "sizes of values are not checked before the class is missed": (
            "values_have_the_size_of_their_kind",
        ),
        "the last of two values counts": (
            "an_attribute_named_twice_is_inconsistent",
        ),
        "it has no CKA_UNIQUE_ID": (
            "a_claimed_unique_id_is_read_only",
        ),
        "the values of data objects, and dates, cannot be changed": (
            "data_objects_are_changed", "what_may_be_changed_is_changed",
        ),
    },
    "token_wrap": {
        "OAEP has SHA-1 only": (
            "oaep_with_sha256_wraps_and_unwraps",
        ),
        "a damaged wrapping is CKR_GENERAL_ERROR": (
            "a_damaged_wrapping_is_invalid",
        ),
    },
}
KNOWN = {"libsofthsm2.so": SOFTHSM}


def reason(module, program, sentence):
    """Why this module fails there; None where it is not known to."""
    rows = KNOWN.get(os.path.basename(module), {}).get(program, {})
    for why, sentences in rows.items():
        if sentence in sentences:
            return f"known of this module: {why}"
    return None
