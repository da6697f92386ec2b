// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fragments in and out of order, byte by byte (docs/packets.md, section 4), and how long the first one is remembered.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "golden.h"
#include "util.h"

static const struct golden in_order[] = {
	{ "in order, IPv4, UDP to IPv4", {
		{ TR_V_FRAGMENT, .in =
		  "0200 0000 0001 0200 0000 0002 0800  4500 0034 0700 2000 3911 5ca7 cb00 7107 c000 020a "
		  "1388 0050 0048 a228 5a*24", .out =
		  "06b0 0000 0002 0650 0000 0001 0800  4500 0048 0000 4000 4004 8497 ac10 0000 0a09 0002 "
		  "@14" },
		{ TR_V_FRAGMENT, .in =
		  "0200 0000 0001 0200 0000 0002 0800  4500 0034 0700 2004 3911 5ca3 cb00 7107 c000 020a  5a*32", .out =
		  "06b0 0000 0002 0650 0000 0001 0800  4500 0048 0000 4000 4004 8497 ac10 0000 0a09 0002 "
		  "@14" },
		{ TR_V_FRAGMENT, .in =
		  "0200 0000 0001 0200 0000 0002 0800  4500 001c 0700 0008 3911 7cb7 cb00 7107 c000 020a  5a5a 5a5a 5a5a 5a5a", .out =
		  "06b0 0000 0002 0650 0000 0001 0800  4500 0030 0000 4000 4004 84af ac10 0000 0a09 0002 "
		  "@14" },
	} },
	{ "in order, IPv4, TCP to IPv4", {
		{ TR_V_FRAGMENT, .in =
		  "0200 0000 0001 0200 0000 0002 0800  4528 0034 0700 2000 3906 5c8a cb00 7107 c000 020a "
		  "1388 0050 0000 0001 0000 0001 5010 2000 5087 0000 5a5a 5a5a 5a5a 5a5a 5a5a 5a5a", .out =
		  "06b0 0000 0001 0650 0000 0001 0800  4528 0048 0000 4000 4004 8470 ac10 0000 0a09 0001 "
		  "@14" },
		{ TR_V_FRAGMENT, .in =
		  "0200 0000 0001 0200 0000 0002 0800  4528 0034 0700 2004 3906 5c86 cb00 7107 c000 020a  5a*32", .out =
		  "06b0 0000 0001 0650 0000 0001 0800  4528 0048 0000 4000 4004 8470 ac10 0000 0a09 0001 "
		  "@14" },
	} },
	{ "in order, IPv4, UDP to IPv6", {
		{ TR_V_FRAGMENT, .in =
		  "0200 0000 0001 0200 0000 0002 0800  4500 0034 0700 2000 3911 5ca7 cb00 7107 c000 020a "
		  "1388 0051 0048 a227 5a*24", .out =
		  "06b0 0000 0004 0650 0000 0001 86dd "
		  "600? ???? 0034 0440 0100 0000 0000 0000 0000 0000 0000 0000 fd00 0009 0000 0000 0000 0000 0000 0002 "
		  "@14" },
		{ TR_V_FRAGMENT, .in =
		  "0200 0000 0001 0200 0000 0002 0800  4500 0034 0700 2004 3911 5ca3 cb00 7107 c000 020a  5a*32", .out =
		  "06b0 0000 0004 0650 0000 0001 86dd "
		  "600? ???? 0034 0440 0100 0000 0000 0000 0000 0000 0000 0000 fd00 0009 0000 0000 0000 0000 0000 0002 "
		  "@14" },
	} },
	{ "in order, IPv6, UDP to IPv4", {
		{ TR_V_FRAGMENT, .in =
		  "0200 0000 0001 0200 0000 0002 86dd "
		  "6000 0000 0028 2c39 2001 0db8 ffff 0000 0000 0000 0000 0007 2001 0db8 0000 0000 0000 0000 0000 0010 "
		  "1100 0001 0007 0000  1388 0050 0048 44b2 5a*24", .out =
		  "06b0 0000 0002 0650 0000 0001 0800  4500 0064 0000 4000 4029 8456 ac10 0000 0a09 0002 "
		  "@14" },
		{ TR_V_FRAGMENT, .in =
		  "0200 0000 0001 0200 0000 0002 86dd "
		  "6000 0000 0028 2c39 2001 0db8 ffff 0000 0000 0000 0000 0007 2001 0db8 0000 0000 0000 0000 0000 0010 "
		  "1100 0021 0007 0000  5a*32", .out =
		  "06b0 0000 0002 0650 0000 0001 0800  4500 0064 0000 4000 4029 8456 ac10 0000 0a09 0002 "
		  "@14" },
	} },
	{ "in order, IPv6, TCP to IPv6", {
		{ TR_V_FRAGMENT, .in =
		  "0200 0000 0001 0200 0000 0002 86dd "
		  "6280 0000 0028 2c39 2001 0db8 ffff 0000 0000 0000 0000 0007 2001 0db8 0000 0000 0000 0000 0000 0010 "
		  "0600 0001 0007 0000  1388 0051 0000 0001 0000 0001 5010 2000 f30f 0000 5a5a 5a5a 5a5a 5a5a 5a5a 5a5a", .out =
		  "06b0 0000 0003 0650 0000 0001 86dd "
		  "628? ???? 0050 2940 0100 0000 0000 0000 0000 0000 0000 0000 fd00 0009 0000 0000 0000 0000 0000 0001 "
		  "@14" },
		{ TR_V_FRAGMENT, .in =
		  "0200 0000 0001 0200 0000 0002 86dd "
		  "6280 0000 0028 2c39 2001 0db8 ffff 0000 0000 0000 0000 0007 2001 0db8 0000 0000 0000 0000 0000 0010 "
		  "0600 0021 0007 0000  5a*32", .out =
		  "06b0 0000 0003 0650 0000 0001 86dd "
		  "628? ???? 0050 2940 0100 0000 0000 0000 0000 0000 0000 0000 fd00 0009 0000 0000 0000 0000 0000 0001 "
		  "@14" },
		{ TR_V_FRAGMENT, .in =
		  "0200 0000 0001 0200 0000 0002 86dd "
		  "6280 0000 0010 2c39 2001 0db8 ffff 0000 0000 0000 0000 0007 2001 0db8 0000 0000 0000 0000 0000 0010 "
		  "0600 0040 0007 0000  5a5a 5a5a 5a5a 5a5a", .out =
		  "06b0 0000 0003 0650 0000 0001 86dd "
		  "628? ???? 0038 2940 0100 0000 0000 0000 0000 0000 0000 0000 fd00 0009 0000 0000 0000 0000 0000 0001 "
		  "@14" },
	} },
	{ "in order, IPv6 behind destination options", {
		{ TR_V_FRAGMENT, .in =
		  "0200 0000 0001 0200 0000 0002 86dd "
		  "6000 0000 0030 3c39 2001 0db8 ffff 0000 0000 0000 0000 0007 2001 0db8 0000 0000 0000 0000 0000 0010 "
		  "2c00 0104 0000 0000  1100 0001 0007 0000  1388 0050 0048 44b2 5a*24", .out =
		  "06b0 0000 0002 0650 0000 0001 0800  4500 006c 0000 4000 4029 844e ac10 0000 0a09 0002 "
		  "@14" },
		{ TR_V_FRAGMENT, .in =
		  "0200 0000 0001 0200 0000 0002 86dd "
		  "6000 0000 0030 3c39 2001 0db8 ffff 0000 0000 0000 0000 0007 2001 0db8 0000 0000 0000 0000 0000 0010 "
		  "2c00 0104 0000 0000  1100 0021 0007 0000  5a*32", .out =
		  "06b0 0000 0002 0650 0000 0001 0800  4500 006c 0000 4000 4029 844e ac10 0000 0a09 0002 "
		  "@14" },
	} },
};

static const struct golden others[] = {
	{ "the first one in the middle, IPv4", {
		{ TR_V_FRAGMENT_EARLY, .in =
		  "0200 0000 0001 0200 0000 0002 0800  4500 001c 0700 0008 3906 7cc2 cb00 7107 c000 020a  5a5a 5a5a 5a5a 5a5a" },
		{ TR_V_FRAGMENT, .in =
		  "0200 0000 0001 0200 0000 0002 0800  4500 0034 0700 2000 3906 5cb2 cb00 7107 c000 020a "
		  "1388 0050 0000 0001 0000 0001 5010 2000 5087 0000 5a5a 5a5a 5a5a 5a5a 5a5a 5a5a", .out =
		  "06b0 0000 0001 0650 0000 0001 0800  4500 0048 0000 4000 4004 8498 ac10 0000 0a09 0001 "
		  "@14" },
		{ TR_V_FRAGMENT, .in =
		  "0200 0000 0001 0200 0000 0002 0800  4500 0034 0700 2004 3906 5cae cb00 7107 c000 020a  5a*32", .out =
		  "06b0 0000 0001 0650 0000 0001 0800  4500 0048 0000 4000 4004 8498 ac10 0000 0a09 0001 "
		  "@14" },
		{ TR_V_FRAGMENT, .in =
		  "0200 0000 0001 0200 0000 0002 0800  4500 001c 0700 0008 3906 7cc2 cb00 7107 c000 020a  5a5a 5a5a 5a5a 5a5a", .out =
		  "06b0 0000 0001 0650 0000 0001 0800  4500 0030 0000 4000 4004 84b0 ac10 0000 0a09 0001 "
		  "@14" },
	} },
	{ "the first one last, IPv4", {
		{ TR_V_FRAGMENT_EARLY, .in =
		  "0200 0000 0001 0200 0000 0002 0800  4500 0034 0700 2004 3906 5cae cb00 7107 c000 020a  5a*32" },
		{ TR_V_FRAGMENT_EARLY, .in =
		  "0200 0000 0001 0200 0000 0002 0800  4500 001c 0700 0008 3906 7cc2 cb00 7107 c000 020a  5a5a 5a5a 5a5a 5a5a" },
		{ TR_V_FRAGMENT, .in =
		  "0200 0000 0001 0200 0000 0002 0800  4500 0034 0700 2000 3906 5cb2 cb00 7107 c000 020a "
		  "1388 0050 0000 0001 0000 0001 5010 2000 5087 0000 5a5a 5a5a 5a5a 5a5a 5a5a 5a5a", .out =
		  "06b0 0000 0001 0650 0000 0001 0800  4500 0048 0000 4000 4004 8498 ac10 0000 0a09 0001 "
		  "@14" },
	} },
	{ "the last one before the second, IPv4", {
		{ TR_V_FRAGMENT, .in =
		  "0200 0000 0001 0200 0000 0002 0800  4500 0034 0700 2000 3906 5cb2 cb00 7107 c000 020a "
		  "1388 0050 0000 0001 0000 0001 5010 2000 5087 0000 5a5a 5a5a 5a5a 5a5a 5a5a 5a5a", .out =
		  "06b0 0000 0001 0650 0000 0001 0800  4500 0048 0000 4000 4004 8498 ac10 0000 0a09 0001 "
		  "@14" },
		{ TR_V_FRAGMENT, .in =
		  "0200 0000 0001 0200 0000 0002 0800  4500 001c 0700 0008 3906 7cc2 cb00 7107 c000 020a  5a5a 5a5a 5a5a 5a5a", .out =
		  "06b0 0000 0001 0650 0000 0001 0800  4500 0030 0000 4000 4004 84b0 ac10 0000 0a09 0001 "
		  "@14" },
		{ TR_V_FRAGMENT, .in =
		  "0200 0000 0001 0200 0000 0002 0800  4500 0034 0700 2004 3906 5cae cb00 7107 c000 020a  5a*32", .out =
		  "06b0 0000 0001 0650 0000 0001 0800  4500 0048 0000 4000 4004 8498 ac10 0000 0a09 0001 "
		  "@14" },
	} },
	{ "the first one in the middle, IPv6", {
		{ TR_V_FRAGMENT_EARLY, .in =
		  "0200 0000 0001 0200 0000 0002 86dd "
		  "6000 0000 0010 2c39 2001 0db8 ffff 0000 0000 0000 0000 0007 2001 0db8 0000 0000 0000 0000 0000 0010 "
		  "1100 0040 0007 0000  5a5a 5a5a 5a5a 5a5a" },
		{ TR_V_FRAGMENT, .in =
		  "0200 0000 0001 0200 0000 0002 86dd "
		  "6000 0000 0028 2c39 2001 0db8 ffff 0000 0000 0000 0000 0007 2001 0db8 0000 0000 0000 0000 0000 0010 "
		  "1100 0001 0007 0000  1388 0051 0048 44b1 5a*24", .out =
		  "06b0 0000 0004 0650 0000 0001 86dd "
		  "600? ???? 0050 2940 0100 0000 0000 0000 0000 0000 0000 0000 fd00 0009 0000 0000 0000 0000 0000 0002 "
		  "@14" },
		{ TR_V_FRAGMENT, .in =
		  "0200 0000 0001 0200 0000 0002 86dd "
		  "6000 0000 0028 2c39 2001 0db8 ffff 0000 0000 0000 0000 0007 2001 0db8 0000 0000 0000 0000 0000 0010 "
		  "1100 0021 0007 0000  5a*32", .out =
		  "06b0 0000 0004 0650 0000 0001 86dd "
		  "600? ???? 0050 2940 0100 0000 0000 0000 0000 0000 0000 0000 fd00 0009 0000 0000 0000 0000 0000 0002 "
		  "@14" },
		{ TR_V_FRAGMENT, .in =
		  "0200 0000 0001 0200 0000 0002 86dd "
		  "6000 0000 0010 2c39 2001 0db8 ffff 0000 0000 0000 0000 0007 2001 0db8 0000 0000 0000 0000 0000 0010 "
		  "1100 0040 0007 0000  5a5a 5a5a 5a5a 5a5a", .out =
		  "06b0 0000 0004 0650 0000 0001 86dd "
		  "600? ???? 0038 2940 0100 0000 0000 0000 0000 0000 0000 0000 fd00 0009 0000 0000 0000 0000 0000 0002 "
		  "@14" },
	} },
	{ "the first one last, IPv6", {
		{ TR_V_FRAGMENT_EARLY, .in =
		  "0200 0000 0001 0200 0000 0002 86dd "
		  "6000 0000 0028 2c39 2001 0db8 ffff 0000 0000 0000 0000 0007 2001 0db8 0000 0000 0000 0000 0000 0010 "
		  "1100 0021 0007 0000  5a*32" },
		{ TR_V_FRAGMENT_EARLY, .in =
		  "0200 0000 0001 0200 0000 0002 86dd "
		  "6000 0000 0010 2c39 2001 0db8 ffff 0000 0000 0000 0000 0007 2001 0db8 0000 0000 0000 0000 0000 0010 "
		  "1100 0040 0007 0000  5a5a 5a5a 5a5a 5a5a" },
		{ TR_V_FRAGMENT, .in =
		  "0200 0000 0001 0200 0000 0002 86dd "
		  "6000 0000 0028 2c39 2001 0db8 ffff 0000 0000 0000 0000 0007 2001 0db8 0000 0000 0000 0000 0000 0010 "
		  "1100 0001 0007 0000  1388 0051 0048 44b1 5a*24", .out =
		  "06b0 0000 0004 0650 0000 0001 86dd "
		  "600? ???? 0050 2940 0100 0000 0000 0000 0000 0000 0000 0000 fd00 0009 0000 0000 0000 0000 0000 0002 "
		  "@14" },
	} },
	{ "the last one before the second, IPv6", {
		{ TR_V_FRAGMENT, .in =
		  "0200 0000 0001 0200 0000 0002 86dd "
		  "6000 0000 0028 2c39 2001 0db8 ffff 0000 0000 0000 0000 0007 2001 0db8 0000 0000 0000 0000 0000 0010 "
		  "1100 0001 0007 0000  1388 0051 0048 44b1 5a*24", .out =
		  "06b0 0000 0004 0650 0000 0001 86dd "
		  "600? ???? 0050 2940 0100 0000 0000 0000 0000 0000 0000 0000 fd00 0009 0000 0000 0000 0000 0000 0002 "
		  "@14" },
		{ TR_V_FRAGMENT, .in =
		  "0200 0000 0001 0200 0000 0002 86dd "
		  "6000 0000 0010 2c39 2001 0db8 ffff 0000 0000 0000 0000 0007 2001 0db8 0000 0000 0000 0000 0000 0010 "
		  "1100 0040 0007 0000  5a5a 5a5a 5a5a 5a5a", .out =
		  "06b0 0000 0004 0650 0000 0001 86dd "
		  "600? ???? 0038 2940 0100 0000 0000 0000 0000 0000 0000 0000 fd00 0009 0000 0000 0000 0000 0000 0002 "
		  "@14" },
		{ TR_V_FRAGMENT, .in =
		  "0200 0000 0001 0200 0000 0002 86dd "
		  "6000 0000 0028 2c39 2001 0db8 ffff 0000 0000 0000 0000 0007 2001 0db8 0000 0000 0000 0000 0000 0010 "
		  "1100 0021 0007 0000  5a*32", .out =
		  "06b0 0000 0004 0650 0000 0001 86dd "
		  "600? ???? 0050 2940 0100 0000 0000 0000 0000 0000 0000 0000 fd00 0009 0000 0000 0000 0000 0000 0002 "
		  "@14" },
	} },
	{ "another id, another protocol, another source", {
		{ TR_V_FRAGMENT, .in =
		  "0200 0000 0001 0200 0000 0002 0800  4500 0034 0700 2000 3911 5ca7 cb00 7107 c000 020a "
		  "1388 0050 0048 a228 5a*24", .out =
		  "06b0 0000 0002 0650 0000 0001 0800  4500 0048 0000 4000 4004 8497 ac10 0000 0a09 0002 "
		  "@14" },
		{ TR_V_FRAGMENT_EARLY, .in =
		  "0200 0000 0001 0200 0000 0002 0800  4500 0034 0701 2004 3911 5ca2 cb00 7107 c000 020a  5a*32" },
		{ TR_V_FRAGMENT_EARLY, .in =
		  "0200 0000 0001 0200 0000 0002 0800  4500 0034 0700 2004 3906 5cae cb00 7107 c000 020a  5a*32" },
		{ TR_V_FRAGMENT_EARLY, .in =
		  "0200 0000 0001 0200 0000 0002 0800  4500 0034 0700 2004 3911 5ca2 cb00 7108 c000 020a  5a*32" },
		{ TR_V_FRAGMENT, .in =
		  "0200 0000 0001 0200 0000 0002 0800  4500 0034 0700 2004 3911 5ca3 cb00 7107 c000 020a  5a*32", .out =
		  "06b0 0000 0002 0650 0000 0001 0800  4500 0048 0000 4000 4004 8497 ac10 0000 0a09 0002 "
		  "@14" },
	} },
	{ "another first one with the same id takes over", {
		{ TR_V_FRAGMENT, .in =
		  "0200 0000 0001 0200 0000 0002 0800  4500 0034 0700 2000 3911 5ca7 cb00 7107 c000 020a "
		  "1388 0050 0048 a228 5a*24", .out =
		  "06b0 0000 0002 0650 0000 0001 0800  4500 0048 0000 4000 4004 8497 ac10 0000 0a09 0002 "
		  "@14" },
		{ TR_V_FRAGMENT, .in =
		  "0200 0000 0001 0200 0000 0002 0800  4500 0034 0700 2004 3911 5ca3 cb00 7107 c000 020a  5a*32", .out =
		  "06b0 0000 0002 0650 0000 0001 0800  4500 0048 0000 4000 4004 8497 ac10 0000 0a09 0002 "
		  "@14" },
		{ TR_V_FRAGMENT, .in =
		  "0200 0000 0001 0200 0000 0002 0800  4500 0034 0700 2000 3911 5ca7 cb00 7107 c000 020a "
		  "1388 0051 0048 a227 5a*24", .out =
		  "06b0 0000 0004 0650 0000 0001 86dd "
		  "600? ???? 0034 0440 0100 0000 0000 0000 0000 0000 0000 0000 fd00 0009 0000 0000 0000 0000 0000 0002 "
		  "@14" },
		{ TR_V_FRAGMENT, .in =
		  "0200 0000 0001 0200 0000 0002 0800  4500 0034 0700 2004 3911 5ca3 cb00 7107 c000 020a  5a*32", .out =
		  "06b0 0000 0004 0650 0000 0001 86dd "
		  "600? ???? 0034 0440 0100 0000 0000 0000 0000 0000 0000 0000 fd00 0009 0000 0000 0000 0000 0000 0002 "
		  "@14" },
	} },
	{ "no service, and so for the rest", {
		{ TR_V_NO_SERVICE, .in =
		  "0200 0000 0001 0200 0000 0002 0800  4500 0034 0700 2000 3911 5ca7 cb00 7107 c000 020a "
		  "1388 03e7 0048 9e91 5a*24" },
		{ TR_V_NO_SERVICE, .in =
		  "0200 0000 0001 0200 0000 0002 0800  4500 0034 0700 2004 3911 5ca3 cb00 7107 c000 020a  5a*32" },
		{ TR_V_FRAGMENT, .in =
		  "0200 0000 0001 0200 0000 0002 0800  4500 0034 0700 2000 3911 5ca7 cb00 7107 c000 020a "
		  "1388 0050 0048 a228 5a*24", .out =
		  "06b0 0000 0002 0650 0000 0001 0800  4500 0048 0000 4000 4004 8497 ac10 0000 0a09 0002 "
		  "@14" },
		{ TR_V_FRAGMENT, .in =
		  "0200 0000 0001 0200 0000 0002 0800  4500 0034 0700 2004 3911 5ca3 cb00 7107 c000 020a  5a*32", .out =
		  "06b0 0000 0002 0650 0000 0001 0800  4500 0048 0000 4000 4004 8497 ac10 0000 0a09 0002 "
		  "@14" },
	} },
	{ "behind a tag", {
		{ TR_V_FRAGMENT, .in =
		  "0200 0000 0001 0200 0000 0002 8100  0005 0800  4500 0034 0700 2000 3911 5ca7 cb00 7107 c000 020a "
		  "1388 0050 0048 a228 5a*24", .out =
		  "06b0 0000 0002 0650 0000 0001 0800  4500 0048 0000 4000 4004 8497 ac10 0000 0a09 0002 "
		  "@18" },
		{ TR_V_FRAGMENT, .in =
		  "0200 0000 0001 0200 0000 0002 8100  0005 0800  4500 0034 0700 2004 3911 5ca3 cb00 7107 c000 020a  5a*32", .out =
		  "06b0 0000 0002 0650 0000 0001 0800  4500 0048 0000 4000 4004 8497 ac10 0000 0a09 0002 "
		  "@18" },
		{ TR_V_FRAGMENT, .in =
		  "0200 0000 0001 0200 0000 0002 0800  4500 001c 0700 0008 3911 7cb7 cb00 7107 c000 020a  5a5a 5a5a 5a5a 5a5a", .out =
		  "06b0 0000 0002 0650 0000 0001 0800  4500 0030 0000 4000 4004 84af ac10 0000 0a09 0002 "
		  "@14" },
	} },
	{ "a later one of TCP over its header", {
		{ TR_V_TINY_FRAGMENT, .in =
		  "0200 0000 0001 0200 0000 0002 0800  4500 001c 0003 2002 4006 5cc5 cb00 7107 c000 020a  5a5a 5a5a 5a5a 5a5a" },
	} },
	{ "a first one with 16 bytes of TCP", {
		{ TR_V_TINY_FRAGMENT, .in =
		  "0200 0000 0001 0200 0000 0002 0800  4500 0024 0003 2000 4006 5cbf cb00 7107 c000 020a "
		  "1388 0050 0000 0001 0000 0001 5010 2000" },
		{ TR_V_TINY_FRAGMENT, .in =
		  "0200 0000 0001 0200 0000 0002 86dd "
		  "6000 0000 0018 2c40 2001 0db8 ffff 0000 0000 0000 0000 0007 2001 0db8 0000 0000 0000 0000 0000 0010 "
		  "0600 0001 0000 0001  1388 0050 0000 0001 0000 0001 5010 2000" },
	} },
	{ "a first one with half of a chain", {
		{ TR_V_TINY_FRAGMENT, .in =
		  "0200 0000 0001 0200 0000 0002 86dd "
		  "6000 0000 0010 2c40 2001 0db8 ffff 0000 0000 0000 0000 0007 2001 0db8 0000 0000 0000 0000 0000 0010 "
		  "3c00 0001 0000 0001  1101 0000 0000 0000" },
	} },
	{ "12 bytes and more to come", {
		{ TR_V_BAD_FRAGMENT, .in =
		  "0200 0000 0001 0200 0000 0002 0800  4500 0020 0003 2004 4011 5cb4 cb00 7107 c000 020a "
		  "5a5a 5a5a 5a5a 5a5a 5a5a 5a5a" },
	} },
	{ "beyond 65,535 bytes", {
		{ TR_V_BAD_FRAGMENT, .in =
		  "0200 0000 0001 0200 0000 0002 0800  4500 001c 0003 1ffd 4011 5cbf cb00 7107 c000 020a  5a5a 5a5a 5a5a 5a5a" },
	} },
	{ "of a ping", {
		{ TR_V_ICMP, .in =
		  "0200 0000 0001 0200 0000 0002 0800  4500 0024 0003 2000 4001 5cc4 cb00 7107 c000 020a "
		  "0800 f7ff 0000 0000 0000 0000 0000 0000" },
	} },
};

static const char *const pieces[] = {
	"0200 0000 0001 0200 0000 0002 0800  4500 0034 0700 2000 3911 5ca7 cb00 7107 c000 020a "
	  "1388 0050 0048 a228 5a*24",
	"0200 0000 0001 0200 0000 0002 0800  4500 0034 0700 2004 3911 5ca3 cb00 7107 c000 020a  5a*32",
};
static const char *const pieces6[] = {
	"0200 0000 0001 0200 0000 0002 86dd "
	  "6000 0000 0028 2c39 2001 0db8 ffff 0000 0000 0000 0000 0007 2001 0db8 0000 0000 0000 0000 0000 0010 "
	  "1100 0001 0007 0000  1388 0051 0048 44b1 5a*24",
	"0200 0000 0001 0200 0000 0002 86dd "
	  "6000 0000 0028 2c39 2001 0db8 ffff 0000 0000 0000 0000 0007 2001 0db8 0000 0000 0000 0000 0000 0010 "
	  "1100 0021 0007 0000  5a*32",
};
/* What they become. */
static const char *const sent[] = {
	"06b0 0000 0002 0650 0000 0001 0800  4500 0048 0000 4000 4004 8497 ac10 0000 0a09 0002 "
	  "@14",
	"06b0 0000 0002 0650 0000 0001 0800  4500 0048 0000 4000 4004 8497 ac10 0000 0a09 0002 "
	  "@14",
};
static const char *const sent6[] = {
	"06b0 0000 0004 0650 0000 0001 86dd "
	  "600? ???? 0050 2940 0100 0000 0000 0000 0000 0000 0000 0000 fd00 0009 0000 0000 0000 0000 0000 0002 "
	  "@14",
	"06b0 0000 0004 0650 0000 0001 86dd "
	  "600? ???? 0050 2940 0100 0000 0000 0000 0000 0000 0000 0000 fd00 0009 0000 0000 0000 0000 0000 0002 "
	  "@14",
};

static void step(struct scene *scene, enum tr_verdict verdict, const char *in, const char *out)
{
	golden_step(scene, &(struct golden_step){ verdict, .in = in, .out = out });
}

static void pass(struct scene *scene, __u32 ticks)
{
	scene->world->settings.tick += ticks;
	harness_tick(scene->harness, scene->world->settings.tick);
}

/* arg: the tick of the first one. The life of a record is 128 ticks. */
static void test_life(struct scene *scene)
{
	harness_forget(scene->harness);
	scene->world->settings.tick = scene->arg;
	harness_tick(scene->harness, scene->arg);
	step(scene, TR_V_FRAGMENT, pieces[0], sent[0]);
	step(scene, TR_V_FRAGMENT, pieces6[0], sent6[0]);
	pass(scene, 127);
	step(scene, TR_V_FRAGMENT, pieces[1], sent[1]);
	step(scene, TR_V_FRAGMENT, pieces6[1], sent6[1]);
	pass(scene, 1);
	step(scene, TR_V_FRAGMENT_EARLY, pieces[1], NULL);
	step(scene, TR_V_FRAGMENT_EARLY, pieces6[1], NULL);
	step(scene, TR_V_FRAGMENT, pieces[0], sent[0]);
	step(scene, TR_V_FRAGMENT, pieces[1], sent[1]);
}

/* The backend's number has come to mean another one. */
static void test_another_backend(struct scene *scene)
{
	harness_forget(scene->harness);
	step(scene, TR_V_FRAGMENT, pieces[0], sent[0]);
	step(scene, TR_V_FRAGMENT, pieces[1], sent[1]);
	scene->world->backends[2].generation++;
	harness_apply(scene->harness, scene->world);
	step(scene, TR_V_FRAGMENT_EARLY, pieces[1], NULL);
	step(scene, TR_V_FRAGMENT, pieces[0], sent[0]);
	step(scene, TR_V_FRAGMENT, pieces[1], sent[1]);
}

/* The backend that was chosen takes no new flows any more: the rest of the packet goes there all the same. */
static void test_ring_changes(struct scene *scene)
{
	harness_forget(scene->harness);
	step(scene, TR_V_FRAGMENT, pieces[0], sent[0]);
	world_spread(scene->world, 1, TR_UDP, (__u32[]){ 1 }, 1);
	harness_apply(scene->harness, scene->world);
	step(scene, TR_V_FRAGMENT, pieces[1], sent[1]);
}

/* A VIP that hashes by addresses wants no first one. */
static void test_by_addresses(struct scene *scene)
{
	int i;

	for (i = 0; i < 2; i++)
		scene->world->addresses[i].value.early[TR_UDP] = 1 + i;
	for (i = 1; i <= 2; i++)
		scene->world->vips[i].how |= TR_HOW_ADDRESSES;
	harness_apply(scene->harness, scene->world);
	harness_forget(scene->harness);
	step(scene, TR_V_FRAGMENT, pieces[1], sent[1]);
	step(scene, TR_V_FRAGMENT, pieces[0], sent[0]);
	step(scene, TR_V_FRAGMENT, pieces6[1], sent6[1]);
}

/* One line of cache, and a source that has to be looked up in it: the service is no longer there when the packet goes on. */
static void test_evicted(struct scene *scene)
{
	int i;

	scene->world->lengths_unknown = true;
	world_add_prefix(scene->world, (struct tr_addr)ADDR4(198, 18, 0, 0), 96 + 15);
	harness_apply(scene->harness, scene->world);
	harness_forget(scene->harness);
	for (i = 0; i < 3; i++) {
		step(scene, TR_V_FRAGMENT, pieces[0], sent[0]);
		step(scene, TR_V_FRAGMENT, pieces[1], sent[1]);
		step(scene, TR_V_FRAGMENT, pieces6[0], sent6[0]);
		step(scene, TR_V_FRAGMENT, pieces6[1], sent6[1]);
	}
}

static const struct {
	const char *name;
	void (*function)(struct scene *scene);
	long arg;
	__u32 cache_size;
} functions[] = {
	{ "remembered for 128 ticks", test_life, 1000, 64 },
	{ "remembered for 128 ticks, the tick's 20 bits turn", test_life, (1 << 20) - 60, 64 },
	{ "remembered for 128 ticks, the tick's 32 bits turn", test_life, 0xffffffc0, 64 },
	{ "another backend under its number", test_another_backend, 0, 64 },
	{ "the ring changes", test_ring_changes, 0, 64 },
	{ "by addresses", test_by_addresses, 0, 64 },
	{ "the source's lookup evicts the service", test_evicted, 0, 1 },
};

int main(void)
{
	struct cases *cases = cases_new();
	size_t i;
	int failed;

	cases_use(cases, golden_world(), 64);
	golden_add(cases, in_order, ARRAY_SIZE(in_order));
	golden_add(cases, others, ARRAY_SIZE(others));
	for (i = 0; i < ARRAY_SIZE(functions); i++) {
		cases_use(cases, golden_world(), functions[i].cache_size);
		cases_add_function(cases, functions[i].function, functions[i].arg, "%s", functions[i].name);
	}
	failed = cases_run(cases, "fragments");
	cases_free(cases);
	return failed != 0;
}
