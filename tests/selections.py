"""What tests ask of each mutation's receipt."""

_BATCHES = "replayed batches { id number kind purpose quantity status }"
_SIGNED_IN = "token role expiresAt refreshToken refreshExpiresAt"

_PLACE = """
    id code name address latitude longitude status storePhone dealerPhone salespersonPhone
    payee payoutThresholdFen
    rebates { balanceFen pendingFen payableFen }
"""
_TILL = "id name keyHint status"
_CLERK = "id number name status lockedUntil"

_ASSET = """
    code name nameZh nameEn status adjustmentLimit
    expiry { kind unit count plusUnit on text }
"""
_HOLD = "id memberId asset amount captured status reason heldAt heldUntil endedAt"
_ADJUSTMENT = """
    id memberId asset amount status reason proposedById proposedAt decidedById decidedAt
    decisionReason
"""
_TEMPLATE = "id code kind status issued stockMax pointsPrice offerId"
_COUPON = "id code templateCode kind status cause usableFrom usableUntil endedAt"
_OFFER = """
    id code name kind status stockMax perDayMax taken rankMin opensAt earlyHours earlyRankMin
    pictureUrl templateCode gives { asset amount } fee { asset amount }
    prices { rankMin parts { asset amount } } limits { window rankMin timesMax }
"""
_ORDER = """
    id quantity status orderedOn delivery carrier trackingNumber reason fulfilledAt cancelledAt
    offer { id name } couponId parts { purpose asset amount }
"""
_PURCHASE = """
    id purchaseRef source purchasedOn occurredAt quantity amountFen returnedFen pointsGranted
    memberId place { code }
    lines { lineNo sku quantity amountFen returnedQuantity returnedFen product { sku } }
    channel { role unpaidReason member { id } }
    returns { returnRef amountFen leftFen reason
              lines { lineNo quantity amountFen } takings { asset taken owed voided }
              channelTakings { role asset taken owed voided } }
"""
_AFTER_PURCHASE = """
    tierBefore { rank code } tierAfter { rank code nameZh nameEn }
    balances { asset balance spendable locked }
"""
_EVENT = """
    id kind eventRef type payload memberId occurredAt unpaidReason
    earned { asset amount locked }
"""
_TASK = "code name role counts target period startsAt endsAt forEverybody"
_REDEMPTION = """
    id status basketFen discountFen payFen rebateFen heldAt heldUntil capturedAt settledAt endedAt
    reason tillName clerkName place { id name } product { sku } coupon { id code }
    events { step actorKind tillName clerkName reason createdAt }
"""

_AGREEMENT = """
    id partnerSlug partnerName status paused pausedAt partnerPausedAt endedAt
    versions { number digest status proposedBy signedAt partnerSignedAt inForceFrom inForceUntil }
"""

_CLEARED = "id kind owedFen partnerSlug note statementId"
_STATEMENT = "id number partnerSlug openingFen closingFen entryCount confirmedAt partnerConfirmedAt"

SELECTIONS = {
    "confirmClearingStatement": f"replayed statement {{ {_STATEMENT} }}",
    **dict.fromkeys(
        ("proposeClearingAdjustment", "decideClearingAdjustment"),
        "replayed adjustment { id owedFen reason status isOurs entryId decidedAt }",
    ),
    "issuePartnersCoupon": """
        replayed issue { id reference hostSlug status usableUntil feeFen reservedFen couponId }
    """,
    **dict.fromkeys(
        ("fillCouponPool", "drainCouponPool", "fillCouponPoolWithCodes"),
        "replayed move { count feeFen movedAt }",
    ),
    "addCouponCodes": "replayed added",
    "revealCouponCode": "replayed code",
    "cancelIssueList": "replayed issueList { id status rowCount doneCount issuedCount }",
    **dict.fromkeys(
        ("proposeNetting", "approveNetting", "declineNetting", "withdrawNetting"),
        "replayed run { id status isOurs netFen reason approvedAt legs"
        " { partnerSlug owedFen paysFen } }",
    ),
    "recordClearingPayment": f"replayed entry {{ {_CLEARED} }}",
    "requestSignInCode": "sentTo expiresInSeconds",
    "signInByCode": _SIGNED_IN,
    "signInOperator": _SIGNED_IN,
    "signInByWechat": _SIGNED_IN,
    "refreshSession": _SIGNED_IN,
    "signOut": "signedOut",
    "signInClerk": _SIGNED_IN,
    "createPlace": f"replayed place {{ {_PLACE} }}",
    "setPlaceStatus": f"replayed place {{ {_PLACE} }}",
    "setPlaceChannel": f"replayed place {{ {_PLACE} }}",
    "setGuidePlace": f"replayed place {{ {_PLACE} }}",
    "createTill": f"replayed key till {{ {_TILL} }}",
    "revokeTill": f"replayed till {{ {_TILL} }}",
    "createClerk": f"replayed pin clerk {{ {_CLERK} }}",
    "setClerkPin": f"replayed pin clerk {{ {_CLERK} }}",
    "setClerkStatus": f"replayed clerk {{ {_CLERK} }}",
    "scanCode": """
        replayed scanId occurredAt verdict unpaidReason guideUnpaidReason scanCount
        firstScan { at latitude longitude } latestScan { at latitude longitude }
        product { id sku name } rewards { asset amount locked }
        coupons { id code templateCode nameZh nameEn kind usableFrom usableUntil }
        balances { asset balance locked } tier { rank code } tierChanged isNewMember
    """,
    "inviteMember": "replayed phone",
    "importRoster": "replayed added unchanged rejected { index reason }",
    "setMemberStatus": "replayed member { id role status }",
    "mergeMembers": """
        replayed couponCount lockedRewardCount assets { asset amount owed repaid }
        member { id role status mergedInto { id } }
    """,
    "createProduct": "replayed product { id sku nameZh nameEn gtin pictureUrl ageMin }",
    "confirmAge": "replayed ageConfirmed",
    "correctAge": "replayed ageConfirmed",
    "setProductAgeMin": "replayed product { id ageMin }",
    "createCodeBatch": _BATCHES,
    "activateCodeBatch": _BATCHES,
    "retireCodeBatch": _BATCHES,
    "packBoxes": "replayed packing { id firstSerial count perBox firstBoxSerial createdAt"
    " bottleBatch { id } boxBatch { id } }",
    "publishCampaign": """
        replayed campaign { id code version gate budgets { asset allowed spent reserved } }
    """,
    **dict.fromkeys(
        ("publishCampaignDraft", "pauseCampaign", "resumeCampaign", "endCampaign"),
        "replayed campaign { id code version status endedAt condition }",
    ),
    **dict.fromkeys(
        ("saveCampaignDraft", "deleteCampaignDraft", "draftFromTemplate"),
        "replayed draft { id code revision condition }",
    ),
    **dict.fromkeys(
        ("simulateCampaign", "cancelSimulation"),
        "replayed simulation { id campaignCode status }",
    ),
    **dict.fromkeys(
        ("createWebhookEndpoint", "rotateWebhookSecret"),
        "replayed secret endpoint { id url status eventTypes previousUntil }",
    ),
    **dict.fromkeys(
        ("configureWebhookEndpoint", "replayWebhooks"),
        "replayed endpoint { id url status eventTypes isReplaying }",
    ),
    **dict.fromkeys(
        ("sendTestWebhook", "resendWebhook"),
        "replayed delivery { id eventType webhookId status attempts }",
    ),
    **dict.fromkeys(
        ("createPartnerKey", "rotatePartnerKey"),
        "replayed key partnerKey { id name start scopes networks previousUntil }",
    ),
    **dict.fromkeys(
        ("configurePartnerKey", "revokePartnerKey"),
        "replayed partnerKey { id name scopes networks requestsPerMinute revokedAt }",
    ),
    "publishLadder": "replayed version role levels { rank code growthThreshold }",
    **dict.fromkeys(
        ("grantTier", "inviteToTier", "endTierGrant"),
        "replayed tier { level { rank code } basis until }",
    ),
    "usePrivilege": "replayed code left",
    "reportAction": "replayed unlocked",
    "voidLockedReward": "replayed lockedReward { id asset amount status endedAt }",
    "reverseScan": """
        replayed couponsVoided scan { id reversedAt }
        legs { beneficiary asset taken owed voided left }
    """,
    "setBirthday": "replayed birthday",
    "changeBirthday": "replayed birthday",
    "moveBalance": "replayed transferCount amount",
    "moveBalances": "replayed legCount transferCount",
    "createAsset": f"replayed asset {{ {_ASSET} }}",
    "configureAsset": f"replayed asset {{ {_ASSET} }}",
    "holdBalance": f"replayed hold {{ {_HOLD} }}",
    "captureHold": f"replayed hold {{ {_HOLD} }}",
    "releaseHold": f"replayed hold {{ {_HOLD} }}",
    "adjustBalance": f"replayed adjustment {{ {_ADJUSTMENT} }}",
    "approveAdjustment": f"replayed adjustment {{ {_ADJUSTMENT} }}",
    "rejectAdjustment": f"replayed adjustment {{ {_ADJUSTMENT} }}",
    "reverseTransfer": "replayed asset taken owed left givenBack",
    "createCouponTemplate": f"replayed template {{ {_TEMPLATE} }}",
    "setCouponTemplateStatus": f"replayed template {{ {_TEMPLATE} }}",
    "buyCoupon": f"""
        replayed coupon {{ {_COUPON} }} balances {{ asset balance spendable locked }}
    """,
    "voidCoupon": f"replayed coupon {{ {_COUPON} }}",
    "createOffer": f"replayed offer {{ {_OFFER} }}",
    "updateOffer": f"replayed offer {{ {_OFFER} }}",
    "redeemOffer": f"""
        replayed order {{ {_ORDER} }} coupons {{ {_COUPON} }}
        balances {{ asset balance spendable locked }}
    """,
    "orderGift": f"replayed order {{ {_ORDER} }}",
    "fulfilOrder": f"replayed order {{ {_ORDER} }}",
    "cancelOrder": f"replayed order {{ {_ORDER} }}",
    "holdCoupon": f"replayed redemption {{ {_REDEMPTION} }}",
    "captureRedemption": f"replayed redemption {{ {_REDEMPTION} }}",
    "voidRedemption": f"replayed redemption {{ {_REDEMPTION} }}",
    "redeemPartnersCoupon": f"replayed redemption {{ {_REDEMPTION} }}",
    "reversePartnersRedemption": f"replayed redemption {{ {_REDEMPTION} }}",
    "reverseRedemption": f"replayed redemption {{ {_REDEMPTION} }}",
    "recordPurchase": f"""
        replayed alreadyRecorded purchase {{ {_PURCHASE} }} earned {{ asset amount locked }}
        {_AFTER_PURCHASE}
    """,
    "checkIn": f"replayed alreadyCheckedIn event {{ {_EVENT} }}",
    "registerEventType": """
        replayed eventType { code version name fields { name kind required since } }
    """,
    "postEvents": """
        replayed results { eventRef status eventId unpaidReason earned { asset amount locked }
                           refused { code message details } }
    """,
    "createRaffle": "replayed raffle { id code status seedHash worstCase { asset amount } }",
    "enterRaffle": "replayed entry { id raffleCode message entrant won { place } }",
    "cancelRaffle": "replayed raffle { id code status reason }",
    "createTask": f"replayed task {{ {_TASK} }}",
    "endTask": f"replayed task {{ {_TASK} }}",
    "takeTask": "replayed alreadyTaken task { period progress takenAt task { code target } }",
    "createSurvey": "replayed survey { code }",
    "endSurvey": "replayed survey { code endsAt }",
    "answerSurvey": f"replayed event {{ {_EVENT} }}",
    "openReferralCode": "replayed code",
    "useReferralCode": "replayed referral { referrerId referredId status refusedReason settledAt }",
    "setWithholding": "replayed terms { thresholdFen ratePercent }",
    "putRegion": "replayed region { code name nameZh nameEn areas }",
    "putSegment": "replayed segment { code name nameZh nameEn members }",
    "setSegmentMembers": "replayed added removed",
    **dict.fromkeys(
        ("proposeAgreement", "signAgreement", "pauseAgreement", "resumeAgreement", "endAgreement"),
        f"replayed agreement {{ {_AGREEMENT} }}",
    ),
    "setMemberDays": "replayed memberDays { dayOfMonth on name nextOn }",
    "returnPurchase": f"""
        replayed alreadyRecorded purchase {{ {_PURCHASE} }} amountFen
        taken {{ asset taken owed voided }} {_AFTER_PURCHASE}
    """,
}
